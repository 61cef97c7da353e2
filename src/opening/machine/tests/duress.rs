//! The passphrase under duress: what it destroys, and that nobody sees it.

use super::boot::Done;
use super::clinic::{Clinic, DURESS, PIN, WORDS};
use super::people::{at_the_prompt, enters, is_destruction};
use crate::opening::act::Event;
use crate::opening::host::Host;
use crate::theft::ResetCause;
use crate::vault::{EventKind, VaultError};

/// What a duress passphrase did and what a wrong one does: in order up to the
/// text on the screen, and everything that the screen or the kernel's log
/// shows.
#[test]
fn duress_is_answered_as_a_wrong_passphrase() {
    let mut clinics = [Clinic::new().with_code(), Clinic::new().with_code()];
    let [wrong, duress] = &mut clinics;
    let (mut wrong, mut duress) = (at_the_prompt(wrong), at_the_prompt(duress));
    enters(&mut wrong, "otter");
    enters(&mut duress, DURESS);
    for boot in [&mut wrong, &mut duress] {
        boot.passes(1);
        boot.types(WORDS);
        boot.presses_escape();
        for word in ["status", "", "retry"] {
            boot.types(word);
        }
        boot.passes(200);
    }
    let destroyed = duress.position(is_destruction).unwrap();
    let cause = ResetCause::Duress;
    assert_eq!(
        duress.done[destroyed],
        Done::Destroyed { cause, wiped: true }
    );
    let answer = duress.position_of("The passphrase is wrong. Try again in 1 s.");
    assert!(answer < Some(destroyed), "behind the whole answer");
    // Compared up to here: with the right passphrase the other server opens.
    let until = wrong
        .position(|done| matches!(done, Done::Checked(_)))
        .unwrap();
    let seen: Vec<_> = duress
        .done
        .iter()
        .filter(|done| !is_destruction(done))
        .collect();
    assert_eq!(
        seen[..until - 1],
        wrong.done.iter().collect::<Vec<_>>()[..until - 1]
    );
    let told = |done: &&Done| match done {
        Done::Said(text) | Done::Logged(text) => {
            text.contains("reset, ") || text.contains("was reset")
        }
        _ => false,
    };
    assert_eq!(duress.done.iter().filter(told).count(), 0);
}

#[test]
fn after_duress_neither_place_nor_passphrase_opens() {
    let mut clinic = Clinic::new().with_code();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, DURESS);
    boot.passes(1);
    boot.types(WORDS);
    assert!(boot.said("The passphrase is wrong. Try again in 2 s."));
    boot.presses_escape();
    boot.types("retry");
    boot.hears("home");
    boot.passes(100);
    assert!(!boot.released());
    let mut next = clinic.starts();
    next.hears("home");
    next.runs_until(6);
    assert!(next.said("This server was reset, after too many wrong entries."));
    assert!(!next.released());
}

#[test]
fn duress_destroys_nothing_where_nothing_would_be_left() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, DURESS);
    assert_eq!(boot.count(is_destruction), 0);
    let cause = ResetCause::Duress;
    assert!(boot.has_done(&Done::Noted(EventKind::ResetWithheld { cause })));
    let told = |done: &Done| matches!(done, Done::Logged(text) if text.contains("reset"));
    assert_eq!(boot.count(told), 0, "it is in the vault's log alone");
}

#[test]
fn duress_leaves_the_stick_that_is_the_last_way_back() {
    let mut clinic = Clinic::new().with_listed_stick();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.presses_escape();
    enters(&mut boot, DURESS);
    let cause = ResetCause::Duress;
    assert!(boot.has_done(&Done::Destroyed {
        cause,
        wiped: false
    }));
}

/// The duress passphrase wiped what was plugged in then, and the prompt shows no reset: the
/// list may tell of nothing that is left.
#[test]
fn a_reset_after_duress_wipes_no_further_stick() {
    let mut clinic = Clinic::new().with_listed_stick();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, DURESS);
    boot.passes(1);
    boot.presses_escape();
    assert_eq!(boot.count(is_destruction), 1);
    let another = boot.clinic.another_stick();
    boot.gets(another);
    boot.turn();
    boot.presses_escape();
    boot.types("reset");
    boot.types("clinic");
    let is_wiping = |done: &Done| matches!(done, Done::Destroyed { wiped: true, .. });
    assert_eq!(boot.count(is_destruction), 2);
    assert_eq!(boot.count(is_wiping), 1);
}

#[test]
fn a_change_under_duress_is_a_wrong_entry_and_destroys() {
    let mut clinic = Clinic::new().with_code();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("change");
    boot.types(DURESS);
    assert!(boot.said("The passphrase is wrong. Try again in 1 s."));
    assert_eq!(boot.count(is_destruction), 1);
}

/// Nothing was destroyed, so the stick elsewhere is a way back as before.
#[test]
fn duress_on_a_disk_that_fails_is_tried_again() {
    let mut clinic = Clinic::new().with_listed_stick();
    let mut boot = at_the_prompt(&mut clinic);
    boot.clinic.is_broken = true;
    enters(&mut boot, DURESS);
    assert!(boot.clinic.vault.slots().is_ok());
    boot.clinic.is_broken = false;
    boot.hears("home");
    boot.passes(31);
    assert!(!boot.released());
    let cause = ResetCause::Duress;
    assert!(boot.has_done(&Done::Destroyed { cause, wiped: true }));
    assert_eq!(boot.clinic.vault.slots().err(), Some(VaultError::WasReset));
    boot.passes(300);
    assert_eq!(boot.count(is_destruction), 2, "once it is done");
}

/// A right PIN finds the disk gone, so that the vault is read anew when it answers again.
#[test]
fn duress_is_not_forgotten_while_the_disk_is_away() {
    let mut clinic = Clinic::new().with_listed_stick();
    let mut boot = at_the_prompt(&mut clinic);
    boot.clinic.is_broken = true;
    enters(&mut boot, DURESS);
    boot.passes(2);
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    assert!(!boot.released());
    boot.passes(100);
    boot.clinic.is_broken = false;
    boot.hears("home");
    boot.tell(Event::DisksChanged);
    boot.passes(2);
    assert!(!boot.released());
    assert_eq!(boot.clinic.vault.slots().err(), Some(VaultError::WasReset));
}
