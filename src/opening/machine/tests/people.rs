//! Sticks, passphrases and codes: right and wrong.

use super::boot::{Boot, Done};
use super::clinic::{Clinic, NEW_WORDS, PIN, WORDS};
use crate::opening::act::{Event, PowerAction};
use crate::opening::dialogue::Question;
use crate::opening::host::Host;
use crate::theft::{ResetCause, TheftPolicy};
use crate::vault::{EventKind, Passphrases};

pub fn at_the_prompt(clinic: &mut Clinic) -> Boot<'_> {
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot
}

pub fn enters(boot: &mut Boot<'_>, words: &str) {
    boot.types("passphrase");
    boot.types(words);
}

pub fn is_destruction(done: &Done) -> bool {
    matches!(done, Done::Destroyed { .. })
}

#[test]
fn stick_and_pin_open_the_server_anywhere() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("another house");
    boot.runs_until(6);
    boot.gets_stick();
    boot.turn();
    assert!(boot.has_done(&Done::Asked(Question::Pin("office".try_into().unwrap()))));
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn who_types_a_secret_that_was_not_needed_is_told_to_stop() {
    const STOP: &str = "Stop typing: what is typed from now on can be seen.";
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.hears("home");
    boot.turn();
    assert!(boot.released() && boot.said(STOP), "{:?}", boot.done);
    // Nobody is typing one.
    let mut boot = clinic.starts();
    boot.hears("another house");
    boot.runs_until(6);
    boot.hears("home");
    boot.turn();
    assert!(boot.released() && !boot.said(STOP));
    // Whoever has typed the one that opened has done so.
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    assert!(boot.released() && !boot.said(STOP));
}

#[test]
fn a_stick_of_somebody_else_is_told_from_ours() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets(None);
    boot.turn();
    assert!(boot.said("This stick has no key on it."));
    assert_eq!(boot.count(|done| matches!(done, Done::Asked(_))), 0);
}

#[test]
fn a_keypad_without_num_lock_is_told_from_a_wrong_pin() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.presses_dead_key();
    assert!(boot.said("press Num\nLock first."));
    assert!(!boot.said("from the start"));
    boot.gets_stick();
    boot.turn();
    boot.presses_dead_key();
    assert!(boot.said("Type it again from the start."));
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn a_pin_that_is_not_typed_is_no_wrong_one() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.types("");
    assert!(boot.said("No PIN. Type retry to use the stick after all."));
    assert!(!boot.said("The PIN is wrong."));
    boot.types("retry");
    boot.turn();
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn a_stick_waits_for_its_pin_while_the_disk_is_away() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.clinic.is_broken = true;
    boot.types(PIN);
    assert!(!boot.released());
    boot.clinic.is_broken = false;
    boot.tell(Event::DisksChanged);
    boot.types("retry");
    boot.turn();
    boot.types(PIN);
    assert!(boot.released(), "{:?}", boot.done);
}

#[test]
fn a_server_without_passphrases_asks_for_none() {
    let mut clinic = Clinic::new();
    let mut slots = clinic.vault.slots().unwrap();
    slots.passphrases = Passphrases::quick();
    clinic.vault.replace_slots(&clinic.key, &slots).unwrap();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("passphrase");
    assert!(boot.said("This server has no passphrases."));
    assert!(!boot.has_done(&Done::Asked(Question::Passphrase)));
}

#[test]
fn a_person_switches_the_server_off_or_starts_it_again() {
    for (word, action) in [
        ("reboot", PowerAction::Restart),
        ("poweroff", PowerAction::Off),
    ] {
        let mut clinic = Clinic::new();
        let mut boot = at_the_prompt(&mut clinic);
        boot.types(word);
        assert!(boot.has_done(&Done::Power(action)), "{:?}", boot.done);
    }
}

#[test]
fn a_passphrase_opens_the_server() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, WORDS);
    assert!(boot.released());
}

#[test]
fn a_wrong_entry_is_on_the_disk_before_it_is_said() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, "otter");
    let noted = boot.position(|done| *done == Done::Noted(EventKind::WrongPassphrase));
    let locked = boot.position(|done| matches!(done, Done::Noted(EventKind::Locked { .. })));
    let said = boot.position_of("The passphrase is wrong. Try again in 1 s.");
    assert!(
        locked < noted && noted < said && locked.is_some(),
        "{:?}",
        boot.done
    );
}

#[test]
fn wrong_entries_of_all_kinds_slow_down_together() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, "otter");
    assert!(boot.said("The passphrase is wrong. Try again in 1 s."));
    boot.types(WORDS);
    assert!(boot.said("Wait 2 s, then type it again."));
    assert!(!boot.released());
    boot.passes(2);
    boot.gets_stick();
    boot.turn();
    boot.types("1111");
    assert!(boot.said("The PIN is wrong. Try again in 2 s."));
    boot.passes(2);
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn a_restart_does_not_forget_wrong_entries() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, "otter");
    let mut next = at_the_prompt(&mut clinic);
    next.types("passphrase");
    next.types(WORDS);
    assert!(next.said("Wait 2 s, then type it again."));
    next.passes(1);
    next.types("otter");
    assert!(next.said("The passphrase is wrong. Try again in 2 s."));
}

#[test]
fn the_limit_of_wrong_entries_resets_behind_the_answer() {
    let five = TheftPolicy {
        attempts: Some(5),
        ..TheftPolicy::default()
    };
    for way_back in [true, false] {
        let mut clinic = Clinic::with(five);
        if way_back {
            clinic = clinic.with_code();
        }
        let mut boot = at_the_prompt(&mut clinic);
        boot.types("passphrase");
        for _ in 0..5 {
            assert_eq!(boot.count(is_destruction), 0);
            boot.types("otter");
            boot.passes(60);
        }
        let said = boot.position_of("The passphrase is wrong. Try again in 16 s.");
        assert_eq!(boot.count(is_destruction), usize::from(way_back));
        let reset = boot.position(is_destruction);
        assert!(said.is_some() && (!way_back || said < reset));
        let cause = ResetCause::WrongEntries;
        let withheld = Done::Noted(EventKind::ResetWithheld { cause });
        assert_eq!(boot.has_done(&withheld), !way_back);
    }
}

fn changes(boot: &mut Boot<'_>, new: [&str; 2]) {
    boot.types("change");
    boot.types(WORDS);
    for words in new {
        boot.types(words);
    }
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    changes(&mut boot, [NEW_WORDS, NEW_WORDS]);
    assert!(
        boot.said("The passphrase of \"halima\" is changed."),
        "{:?}",
        boot.done
    );
    assert!(!boot.released(), "it opens nothing");
    enters(&mut boot, WORDS);
    assert!(boot.said("The passphrase is wrong."));
    boot.passes(1);
    boot.types(NEW_WORDS);
    assert!(boot.released());
}

#[test]
fn a_stick_that_was_sent_away_does_not_ask_again_after_a_change() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.presses_escape();
    changes(&mut boot, [NEW_WORDS, NEW_WORDS]);
    boot.turn();
    let pins = boot.count(|done| matches!(done, Done::Asked(Question::Pin(_))));
    assert_eq!(pins, 1, "{:?}", boot.done);
}

#[test]
fn two_new_passphrases_that_differ_change_nothing() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    changes(&mut boot, [NEW_WORDS, "basket seven river"]);
    assert!(boot.said("The two are not the same. Nothing was changed."));
    enters(&mut boot, WORDS);
    assert!(boot.released());
}

#[test]
fn an_unusable_new_passphrase_is_asked_for_again_with_advice() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("change");
    boot.types(WORDS);
    boot.types("otter");
    assert!(boot.said("at least 8 characters"));
    assert!(boot.said("Take five random words"));
    // A control character that arrives in two bytes.
    boot.types("basket \u{85} seven");
    assert!(boot.said("nobody would type it"));
    assert!(boot.said("Use letters and digits, and spaces between words."));
    boot.types(NEW_WORDS);
    boot.types(NEW_WORDS);
    assert!(boot.said("The passphrase of \"halima\" is changed."));
}

#[test]
fn change_gives_up_after_five_minutes_and_forgets_the_key() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("change");
    boot.types(WORDS);
    boot.types(NEW_WORDS);
    boot.passes(299);
    assert!(!boot.said("Nothing was changed."));
    boot.passes(2);
    assert!(boot.said("Nothing was changed."));
    // What is typed now is a command, and nobody's new passphrase.
    boot.types(NEW_WORDS);
    assert!(boot.said("Type one of the words of the menu, or its digit."));
    assert!(!boot.said("is changed"));
}
