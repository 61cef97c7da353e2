//! Boots at home, also with a late router.

use super::boot::Done;
use super::clinic::{Clinic, PIN};
use crate::opening::act::StageEnd;
use crate::opening::host::Host;
use crate::theft::{OnFailure, TheftPolicy, TheftState};
use crate::vault::{EventKind, OpenedBy};

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
    boot.runs_until(200);
    assert!(boot.has_done(&Done::Checked("not proven")));
    assert!(!boot.released());
    assert!(boot.said("The vault was changed by somebody"));
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
