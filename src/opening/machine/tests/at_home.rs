//! Boots at home, also with a late router.

use core::time::Duration;

use super::boot::Done;
use super::clinic::{Clinic, PIN};
use crate::opening::act::{Act, Event, StageEnd};
use crate::opening::host::Host;
use crate::theft::{OnFailure, TheftPolicy, TheftState};
use crate::vault::{EventKind, LockedBecause, OpenedBy, VaultError};

fn goes_on_without_keys() -> TheftPolicy {
    TheftPolicy {
        on_failure: OnFailure::Continue,
        ..TheftPolicy::default()
    }
}

#[test]
fn server_at_home_opens_and_shows_nothing() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("home");
    boot.turn();
    assert_eq!(boot.ended(), Some(StageEnd::Released));
    assert!(boot.released());
    let shown = boot.count(|done| matches!(done, Done::Said(text) if text.contains("locked")));
    assert_eq!(shown, 0, "{:?}", boot.done);
}

#[test]
fn a_status_names_the_home_and_has_what_was_observed() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("home");
    assert!(boot.machine.home().is_some());
    assert!(boot.machine.observed().iter().count() > 0);
}

#[test]
fn a_new_disk_is_no_reason_to_look_for_a_vault_that_is_there() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    let acts = boot.hear(Event::DisksChanged);
    assert!(!acts.iter().any(|act| matches!(act, Act::FindVault)));
}

#[test]
fn a_console_that_appears_at_the_prompt_shows_the_reason_of_now() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    let shown = |acts: Vec<Act>| {
        let mut banners = acts.into_iter().filter_map(|act| match act {
            Act::ShowOnNewConsoles(banner) => Some(banner),
            _ => None,
        });
        banners.next()
    };
    let acts = boot.hear(Event::ConsolesChanged);
    assert_eq!(shown(acts), None, "nothing is shown yet");
    boot.runs_until(6);
    let acts = boot.hear(Event::ConsolesChanged);
    let silent = shown(acts).unwrap();
    assert!(silent.contains("\"clinic\" is locked"), "{silent}");
    boot.hears("another house");
    boot.runs_until(100);
    let acts = boot.hear(Event::ConsolesChanged);
    assert_ne!(shown(acts).unwrap(), silent);
}

#[test]
fn the_menu_offers_a_code_only_where_one_is_listed() {
    for (mut clinic, listed) in [(Clinic::new(), false), (Clinic::new().with_code(), true)] {
        let mut boot = clinic.starts();
        boot.runs_until(6);
        assert_eq!(boot.said("open it with the recovery code"), listed);
        assert!(boot.said("open it with what a person remembers"));
    }
}

#[test]
fn one_line_says_what_goes_on_and_is_said_once() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    let mut hints = |millis| {
        boot.now = Duration::from_millis(millis);
        let acts = boot.hear(Event::Tick);
        acts.iter().filter(|act| matches!(act, Act::Hint)).count()
    };
    assert_eq!([700, 900, 1000, 4000].map(&mut hints), [0, 1, 0, 0]);
}

#[test]
fn what_is_certain_of_the_place_is_acted_on_once() {
    let mut lost = Clinic::new();
    lost.no_vault = Some(VaultError::NotAVault.into());
    // Without a vault nothing can be written.
    for mut clinic in [Clinic::new(), lost] {
        let mut boot = clinic.starts();
        boot.runs_until(100);
        let acts = boot.hear(Event::Tick);
        let read = acts.iter().any(|act| matches!(act, Act::ReadTheft { .. }));
        assert!(!read, "{:?}", boot.done);
    }
}

#[test]
fn the_log_says_how_much_of_the_home_had_answered() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.runs_until(100);
    let locked = boot.done.iter().find_map(|done| match done {
        Done::Noted(EventKind::Locked { because, answered }) => Some((*because, *answered)),
        _ => None,
    });
    let (because, answered) = locked.unwrap();
    assert_eq!(because, LockedBecause::PlaceSilent);
    assert!(answered.machine.count > 0);
    assert!(answered.neighbours.count == 0 && answered.neighbours.of > 0);
}

#[test]
fn nothing_is_released_before_the_records_are_proven() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("home");
    boot.turn();
    let proven = boot.position(|done| *done == Done::Checked("proven"));
    let released = boot.position(|done| *done == Done::Released);
    assert!(proven.is_some() && proven < released, "{:?}", boot.done);
}

#[test]
fn tampered_policy_at_home_releases_nothing() {
    let mut clinic = Clinic::new().tampered();
    let mut boot = clinic.starts();
    boot.hears("home");
    boot.turn();
    let advice = "By itself it opens nothing. Plug in a backup stick";
    assert!(boot.said(advice), "at once: {:?}", boot.done);
    boot.runs_until(200);
    assert!(boot.has_done(&Done::Checked("not proven")));
    assert!(!boot.released());
    assert!(boot.said("The vault was changed by somebody"));
    assert!(!boot.said("type mend"), "a place mends nothing");
    assert_eq!(boot.count(|done| matches!(done, Done::Struck(_))), 0);
}

#[test]
fn tampered_policy_is_mended_with_the_stick_that_is_in() {
    let mut clinic = Clinic::new().tampered();
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    assert!(boot.said("To put safe settings back and go on, type mend."));
    assert!(!boot.released());
    boot.types("mend");
    assert!(boot.released(), "{:?}", boot.done);
}

#[test]
fn the_key_to_mend_with_goes_when_its_stick_is_pulled() {
    let mut clinic = Clinic::new().tampered();
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    boot.loses_sticks();
    boot.turn();
    boot.types("mend");
    assert!(boot.said("There is nothing to mend yet."));
    assert!(!boot.released());
}

#[test]
fn router_that_is_late_opens_under_the_prompt() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.runs_until(20);
    assert!(boot.said("The place is silent: 0 of 3 neighbours answer"));
    boot.hears("home");
    boot.turn();
    assert!(boot.said("The key is accepted. The server goes on."));
    assert!(boot.released());
}

#[test]
fn the_hint_comes_after_0_8_s_and_the_prompt_after_5() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.turn();
    assert_eq!(boot.done.len(), 1, "{:?}", boot.done);
    boot.runs_until(1);
    assert!(boot.said("Press Enter for the menu."));
    assert!(!boot.said("is locked"));
    boot.runs_until(5);
    assert!(boot.said("The server \"clinic\" is locked. Its data is safe."));
}

#[test]
fn whoever_presses_enter_has_the_prompt_at_once() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.runs_until(1);
    boot.types("");
    assert!(boot.said("The server \"clinic\" is locked. Its data is safe."));
    // A stick is taken at once, too.
    boot.gets_stick();
    boot.turn();
    assert_eq!(boot.count(|done| matches!(done, Done::Asked(_))), 1);
}

#[test]
fn place_opens_while_a_pin_is_being_typed() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot.gets_stick();
    boot.turn();
    assert!(boot.count(|done| matches!(done, Done::Asked(_))) == 1);
    boot.hears("home");
    boot.turn();
    assert_eq!(boot.ended(), Some(StageEnd::Released));
    let by_place = boot.count(|done| {
        let by = |by: &OpenedBy| matches!(by, OpenedBy::Environment { .. });
        matches!(done, Done::Noted(EventKind::Released { by: b, .. }) if by(b))
    });
    assert_eq!(by_place, 1);
}

#[test]
fn server_that_may_go_on_starts_without_keys_after_the_wait() {
    let mut clinic = Clinic::with(goes_on_without_keys());
    let mut boot = clinic.starts();
    boot.runs_until(89);
    assert_eq!(boot.ended(), None);
    boot.runs_until(90);
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys));
    assert!(!boot.released());
}

#[test]
fn a_disk_that_comes_late_takes_nothing_from_the_wait() {
    let mut clinic = Clinic::with(TheftPolicy {
        wait: 5,
        ..goes_on_without_keys()
    });
    clinic.is_broken = true;
    let mut boot = clinic.starts();
    boot.runs_until(20);
    boot.clinic.is_broken = false;
    boot.tell(Event::DisksChanged);
    boot.runs_until(22);
    assert_eq!(boot.ended(), None, "{:?}", boot.done);
    // The place answers as soon as at any other start.
    boot.hears("home");
    boot.turn();
    assert_eq!(boot.ended(), Some(StageEnd::Released));
}

#[test]
fn slots_that_are_read_late_take_nothing_from_the_wait() {
    // The disk comes late, and gives the slots only when it is read again.
    let mut clinic = Clinic::with(goes_on_without_keys());
    clinic.is_broken = true;
    clinic.are_slots_unread = true;
    let mut boot = clinic.starts();
    boot.runs_until(100);
    boot.clinic.is_broken = false;
    boot.tell(Event::DisksChanged);
    boot.runs_until(150);
    assert_eq!(boot.ended(), None, "{:?}", boot.done);
    boot.clinic.are_slots_unread = false;
    boot.passes(31);
    // They were read 60 s after the disk came.
    boot.runs_until(249);
    assert_eq!(boot.ended(), None, "{:?}", boot.done);
    boot.runs_until(250);
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys), "{:?}", boot.done);
}

#[test]
fn slots_that_are_never_read_end_the_wait() {
    let mut clinic = Clinic::with(goes_on_without_keys());
    clinic.are_slots_unread = true;
    let mut boot = clinic.starts();
    boot.runs_until(89);
    assert_eq!(boot.ended(), None);
    boot.runs_until(91);
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys), "{:?}", boot.done);
}

#[test]
fn a_vault_that_comes_and_goes_does_not_prolong_the_wait() {
    let mut clinic = Clinic::with(goes_on_without_keys());
    clinic.is_broken = true;
    let mut boot = clinic.starts();
    boot.runs_until(10);
    boot.clinic.is_broken = false;
    boot.tell(Event::DisksChanged);
    boot.runs_until(40);
    // The cable is loose for a while.
    for _ in 0..2 {
        boot.clinic.is_broken = true;
        boot.types("retry");
        boot.clinic.is_broken = false;
        boot.tell(Event::DisksChanged);
    }
    boot.runs_until(101);
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys), "{:?}", boot.done);
}

#[test]
fn it_goes_on_only_when_nobody_typed_for_a_minute() {
    let mut clinic = Clinic::with(goes_on_without_keys());
    let mut boot = clinic.starts();
    boot.runs_until(80);
    boot.types("help");
    boot.runs_until(139);
    assert_eq!(boot.ended(), None);
    boot.runs_until(140);
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys));
}

#[test]
fn a_minute_after_typing_it_looks_once_whether_to_go_on() {
    let mut clinic = Clinic::with(goes_on_without_keys());
    let mut boot = clinic.starts();
    boot.runs_until(80);
    boot.types("help");
    boot.gets_stick();
    boot.runs_until(100);
    let minute_later = Duration::from_secs(80 + 60);
    assert_eq!(boot.machine.next(boot.now), Some(minute_later));
    // The stick waits for its PIN, so nothing is due any more.
    assert_eq!(boot.machine.next(minute_later), None);
}

#[test]
fn it_does_not_go_on_while_a_stick_waits_for_its_pin() {
    let mut clinic = Clinic::with(goes_on_without_keys());
    let mut boot = clinic.starts();
    boot.runs_until(80);
    boot.gets_stick();
    boot.runs_until(300);
    assert_eq!(boot.ended(), None);
    boot.loses_sticks();
    boot.turn();
    assert!(boot.said("The stick was pulled out."));
    boot.turn();
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys));
}

#[test]
fn strikes_of_earlier_boots_are_cleared_at_home() {
    let mut clinic = Clinic::new();
    clinic.vault.strike(2, [99; 16]).unwrap();
    let mut boot = clinic.starts();
    boot.hears("home");
    boot.turn();
    assert!(boot.released());
    assert!(boot.has_done(&Done::Armed));
    assert_eq!(clinic.vault.state(), Ok(TheftState::Armed));
}

#[test]
fn disk_that_comes_late_is_found_when_it_comes() {
    let mut clinic = Clinic::new();
    clinic.is_broken = true;
    let mut boot = clinic.starts();
    boot.runs_until(200);
    assert!(boot.said("Check that the server's disk is connected."));
    assert_eq!(boot.count(|done| matches!(done, Done::Noted(_))), 0);
    boot.clinic.is_broken = false;
    boot.tell(crate::opening::act::Event::DisksChanged);
    boot.hears("home");
    boot.turn();
    assert!(boot.released());
}

#[test]
fn a_disk_that_answers_again_is_read_again() {
    let mut clinic = Clinic::new();
    clinic.is_broken = true;
    let mut boot = clinic.starts();
    boot.hears("home");
    boot.runs_until(100);
    boot.clinic.is_broken = false;
    boot.passes(31);
    assert!(boot.released());
}
