//! Boots in foreign places: strikes and resets.

use super::boot::Done;
use super::clinic::{Clinic, PIN, WORDS};
use crate::opening::act::StageEnd;
use crate::opening::host::Host;
use crate::theft::{OnStrikes, ResetCause, TheftPolicy, TheftState, WayBack};
use crate::vault::{EventKind, LockedBecause, VaultError};

fn resets_at_once() -> TheftPolicy {
    TheftPolicy {
        strikes: 1,
        on_strikes: OnStrikes::Reset,
        ..TheftPolicy::default()
    }
}

const FOREIGN: &str = "This server does not recognise this place.";

fn is_destruction(done: &Done) -> bool {
    matches!(done, Done::Destroyed { .. })
}

#[test]
fn stolen_server_without_stick_stays_locked() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("thief's house");
    boot.runs_until(86_400);
    assert!(boot.said(FOREIGN));
    assert!(!boot.released() && !boot.has_ended());
    assert_eq!(boot.count(is_destruction), 0);
}

#[test]
fn the_strike_is_on_the_disk_before_it_is_on_the_screen() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("thief's house");
    boot.runs_until(89);
    assert!(boot.said("This server has not found its place so far."));
    assert!(!boot.said(FOREIGN));
    boot.runs_until(91);
    let struck = boot.position(|done| *done == Done::Struck(1));
    assert!(struck.is_some() && struck < boot.position_of(FOREIGN));
    assert_eq!(boot.clinic.vault.state().unwrap().strikes(), 1);
}

#[test]
fn a_strike_that_cannot_be_written_counts_for_nothing() {
    let mut clinic = Clinic::with(resets_at_once()).with_listed_stick();
    let mut boot = clinic.starts();
    boot.hears("thief's house");
    boot.runs_until(80);
    boot.clinic.is_broken = true;
    boot.runs_until(200);
    assert_eq!(boot.count(is_destruction), 0, "{:?}", boot.done);
    assert!(
        boot.count(|done| matches!(done, Done::Logged(text) if text.contains("not written"))) > 0
    );
}

#[test]
fn one_boot_is_one_strike_however_often_it_looks_again() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("thief's house");
    for _ in 0..3 {
        boot.passes(100);
        boot.types("retry");
        boot.hears("thief's house");
        // In between nobody answers.
        boot.passes(100);
        boot.types("retry");
    }
    assert_eq!(boot.count(|done| matches!(done, Done::Struck(_))), 1);
    let mut next = clinic.starts();
    next.hears("another house");
    next.runs_until(91);
    assert!(next.has_done(&Done::Struck(2)));
}

#[test]
fn the_lock_stands_in_the_log_once_a_boot() {
    let mut clinic = Clinic::new();
    let mut boot = clinic.starts();
    boot.hears("thief's house");
    boot.runs_until(200);
    boot.types("reboot");
    let locked = |done: &Done| match done {
        Done::Noted(EventKind::Locked { because, .. }) => *because == LockedBecause::NotRecognised,
        _ => false,
    };
    assert_eq!(boot.count(locked), 1);
}

#[test]
fn a_silent_place_is_no_strike() {
    let mut clinic = Clinic::with(resets_at_once()).with_listed_stick();
    let mut boot = clinic.starts();
    boot.runs_until(86_400);
    assert_eq!(boot.count(|done| matches!(done, Done::Struck(_))), 0);
    assert_eq!(boot.count(is_destruction), 0);
    assert_eq!(clinic.vault.state(), Ok(TheftState::Armed));
}

#[test]
fn the_last_strike_resets_and_only_a_stick_opens_then() {
    let mut clinic = Clinic::with(resets_at_once()).with_listed_stick();
    let mut boot = clinic.starts();
    boot.hears("thief's house");
    boot.runs_until(100);
    let cause = ResetCause::Strikes;
    assert!(boot.has_done(&Done::Destroyed { cause, wiped: true }));
    let struck = boot.position(|done| *done == Done::Struck(1));
    assert!(struck < boot.position(is_destruction));
    assert!(boot.said("This server was reset, after too many starts in foreign places."));
    // It does not open at home any more, but with the stick.
    let mut back = clinic.starts();
    back.hears("home");
    back.runs_until(10);
    assert!(!back.released());
    back.gets_stick();
    back.turn();
    back.types(PIN);
    assert!(back.released());
}

#[test]
fn the_last_way_in_is_never_destroyed() {
    for plugged in [false, true] {
        let mut clinic = Clinic::with(resets_at_once());
        if plugged {
            // The only listed stick is plugged in.
            clinic = clinic.with_listed_stick();
        }
        let mut boot = clinic.starts();
        if plugged {
            boot.gets_stick();
        }
        boot.hears("thief's house");
        boot.runs_until(200);
        assert_eq!(boot.count(is_destruction), 0);
        let cause = ResetCause::Strikes;
        assert!(boot.has_done(&Done::Noted(EventKind::ResetWithheld { cause })));
        assert!(clinic.vault.slots().is_ok());
    }
}

#[test]
fn a_reset_at_the_prompt_wants_the_servers_name() {
    let mut clinic = Clinic::new().with_code();
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot.types("reset");
    boot.types("hospital");
    assert!(boot.said("That is not the server's name. Nothing was changed."));
    boot.types("reset");
    boot.presses_escape();
    assert_eq!(boot.count(is_destruction), 0);
    boot.types("reset");
    boot.types("clinic");
    let cause = ResetCause::Prompt;
    assert!(boot.has_done(&Done::Destroyed { cause, wiped: true }));
    assert!(boot.said("This server was reset, as somebody asked for at the prompt."));
    boot.types("reset");
    assert!(boot.said("This server was reset already."));
    assert_eq!(boot.count(is_destruction), 1);
    assert_eq!(clinic.vault.slots().err(), Some(VaultError::WasReset));
}

#[test]
fn a_reset_at_the_prompt_leaves_the_last_stick_alone() {
    let mut clinic = Clinic::new().with_listed_stick();
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot.gets_stick();
    boot.turn();
    boot.presses_escape();
    boot.types("reset");
    assert!(boot.said("the data is lost for ever."));
    boot.types("clinic");
    let cause = ResetCause::Prompt;
    assert!(boot.has_done(&Done::Destroyed {
        cause,
        wiped: false
    }));
}

#[test]
fn after_a_reset_remember_makes_the_next_place_a_home() {
    let mut clinic = Clinic::new().with_listed_stick();
    clinic.vault.reset(ResetCause::Owner, 7, &mut || ());
    let mut boot = clinic.starts();
    boot.turn();
    assert!(boot.said("This server was reset, as root asked for."));
    boot.types("remember");
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    assert_eq!(boot.ended(), Some(StageEnd::Released));
    let released = boot.position(|done| *done == Done::Released);
    let remembered = boot.position(|done| *done == Done::Remembered);
    assert!(released < remembered && remembered.is_some());
    assert!(!boot.said("No backup stick counts"), "it never resets");
}

#[test]
fn the_stick_that_opened_counts_when_the_place_is_remembered() {
    let policy = TheftPolicy {
        attempts: Some(9),
        ..TheftPolicy::default()
    };
    let mut clinic = Clinic::with(policy).with_listed_stick();
    clinic.vault.reset(ResetCause::Owner, 7, &mut || ());
    let mut boot = clinic.starts();
    boot.turn();
    boot.types("remember");
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    assert!(boot.has_done(&Done::Remembered));
    assert!(!boot.said("No backup stick counts as tried any more."));
    assert_eq!(clinic.vault.way_back(&clinic.key), WayBack::Listed);
}

#[test]
fn what_is_still_in_memory_does_not_open_a_reset_server() {
    for at_home in [true, false] {
        let mut clinic = Clinic::new();
        let mut boot = clinic.starts();
        boot.runs_until(6);
        let cause = ResetCause::Owner;
        boot.clinic.vault.reset(cause, 7, &mut || ());
        if at_home {
            boot.hears("home");
            boot.turn();
        } else {
            boot.types("passphrase");
            boot.types(WORDS);
        }
        assert!(boot.has_done(&Done::Checked("proven")));
        assert!(boot.said("only a backup stick or the recovery code opens it."));
        assert!(!boot.released());
    }
}

#[test]
fn a_reset_that_was_cut_off_is_noted_by_the_next_boot() {
    let mut clinic = Clinic::new();
    let cause = ResetCause::Strikes;
    clinic.vault.reset(cause, 7, &mut || ());
    let noted = Done::Noted(EventKind::Reset { cause, begun: 7 });
    let boot = clinic.starts();
    assert!(boot.has_done(&noted));
    assert!(!clinic.starts().has_done(&noted), "once");
}
