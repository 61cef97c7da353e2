//! Sticks that hang, or have no driver: everything else goes on.

use super::boot::{Boot, Done};
use super::clinic::{Clinic, PIN};
use crate::opening::act::StageEnd;
use crate::opening::dialogue::Question;
use crate::opening::host::Host;
use crate::theft::{OnFailure, ResetCause, TheftPolicy};

const SILENT: &str = "The stick does not answer.";

fn at_the_prompt(clinic: &mut Clinic) -> Boot<'_> {
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot
}

fn asked_for_the_pin(boot: &Boot<'_>) -> bool {
    boot.has_done(&Done::Asked(Question::Pin("office".try_into().unwrap())))
}

#[test]
fn a_stick_that_hangs_is_told_of_once_after_five_seconds() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.passes(4);
    assert!(!boot.said(SILENT));
    boot.passes(2);
    assert!(boot.said("The stick does not answer.\nTake it out"));
    boot.passes(100);
    let says = |done: &Done| matches!(done, Done::Said(text) if text.contains(SILENT));
    assert_eq!(boot.count(says), 1);
}

#[test]
fn the_prompt_and_the_place_go_on_beside_a_stick_that_hangs() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.turn();
    boot.types("status");
    assert!(boot.has_done(&Done::StatusShown));
    boot.hears("home");
    boot.turn();
    assert!(boot.released());
}

#[test]
fn the_next_stick_is_taken_while_one_hangs() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.passes(6);
    boot.gets_stick();
    boot.turn();
    assert!(asked_for_the_pin(&boot));
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn a_slow_stick_is_taken_when_it_answers_after_all() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.passes(30);
    assert!(boot.said(SILENT));
    boot.hanging_sticks_answer();
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn what_a_stick_says_after_it_was_pulled_out_counts_for_nothing() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.turn();
    let file = boot.plugged.clone();
    boot.loses_sticks();
    boot.turn();
    boot.plugged = file;
    boot.hanging_sticks_answer();
    assert!(!asked_for_the_pin(&boot));
    assert!(!boot.said(SILENT));
}

#[test]
fn a_stick_that_hangs_keeps_the_system_waiting_for_seconds_only() {
    let mut clinic = Clinic::with(TheftPolicy {
        on_failure: OnFailure::Continue,
        ..TheftPolicy::default()
    });
    let mut boot = clinic.starts();
    boot.runs_until(88);
    boot.gets_hanging_stick();
    boot.runs_until(92);
    assert!(!boot.has_ended(), "it may still answer");
    boot.runs_until(200);
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys));
}

#[test]
fn a_reset_does_what_it_can_and_names_the_stick_that_hangs() {
    let mut clinic = Clinic::new().with_code();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.passes(6);
    boot.types("reset");
    boot.types("clinic");
    let cause = ResetCause::Prompt;
    assert!(boot.has_done(&Done::Destroyed { cause, wiped: true }));
    assert!(boot.said("NOT WIPED: /dev/sda1."));
    assert!(clinic.vault.slots().is_err());
}

#[test]
fn under_duress_nothing_is_said_of_a_stick_that_hangs() {
    let mut clinic = Clinic::new().with_code();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_hanging_stick();
    boot.passes(6);
    boot.types("passphrase");
    boot.types(super::clinic::DURESS);
    boot.passes(60);
    let cause = ResetCause::Duress;
    assert!(boot.has_done(&Done::Destroyed { cause, wiped: true }));
    let told = |done: &Done| match done {
        Done::Said(text) | Done::Logged(text) => text.to_lowercase().contains("wiped"),
        _ => false,
    };
    assert_eq!(boot.count(told), 0);
}

#[test]
fn a_stick_without_a_driver_is_told_of_and_the_pin_goes_on() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    assert!(asked_for_the_pin(&boot));
    boot.gets_stick_without_driver("uas");
    assert!(boot.said("no driver for it (module uas)"));
    boot.types(PIN);
    assert!(boot.released());
}
