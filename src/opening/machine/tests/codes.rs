//! The recovery code at the prompt: right, wrong, too old and mistyped.

use super::boot::{Boot, Done};
use super::clinic::{Clinic, PIN};
use crate::keys::{GROUP_LETTERS, RecoveryCode, WayKey};
use crate::opening::dialogue::Question;
use crate::theft::{ResetCause, TheftPolicy};
use crate::vault::{EventKind, OpenedBy, StickList, Ways};

fn in_groups(clinic: &Clinic, code: &RecoveryCode) -> Vec<String> {
    let letters = code.letters(&clinic.vault.header().server_id.0);
    let groups = letters.chunks(GROUP_LETTERS);
    groups
        .map(|group| String::from_utf8(group.to_vec()).unwrap())
        .collect()
}

/// The groups of a code of this number that no vault has made.
fn foreign_code(clinic: &Clinic, number: u8) -> Vec<String> {
    in_groups(clinic, &RecoveryCode::new(&WayKey::random(), number))
}

/// The server's own code.
fn right_code(clinic: &Clinic) -> Vec<String> {
    in_groups(clinic, clinic.code.as_ref().unwrap())
}

fn at_the_prompt(clinic: &mut Clinic) -> Boot<'_> {
    let mut boot = clinic.starts();
    boot.hears("another house");
    boot.runs_until(6);
    boot
}

fn enters(boot: &mut Boot<'_>, code: &[String]) {
    boot.types("code");
    for group in code {
        boot.types(group);
    }
}

fn asked_for_group(boot: &Boot<'_>, group: usize) -> usize {
    boot.count(|done| *done == Done::Asked(Question::CodeGroup(group)))
}

fn wrong_codes(boot: &Boot<'_>) -> usize {
    boot.count(|done| *done == Done::Noted(EventKind::WrongCode))
}

#[test]
fn a_recovery_code_opens_the_server_group_by_group() {
    let mut clinic = Clinic::new().with_code();
    let code = right_code(&clinic);
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, &code);
    for group in 1..=9 {
        assert_eq!(asked_for_group(&boot, group), 1, "{group}");
    }
    assert!(boot.released());
    let by_code = |done: &Done| {
        matches!(
            done,
            Done::Noted(EventKind::Released {
                by: OpenedBy::Code,
                ..
            })
        )
    };
    assert_eq!(boot.count(by_code), 1, "{:?}", boot.done);
}

/// It opens the server and is on no list; and a reset may have wiped the stick that is.
#[test]
fn a_rearmed_server_says_that_it_withholds_its_resets() {
    let policy = TheftPolicy {
        attempts: Some(9),
        ..TheftPolicy::default()
    };
    let mut clinic = Clinic::with(policy)
        .with_listed_stick()
        .with_unlisted_code();
    let code = right_code(&clinic);
    clinic.vault.reset(ResetCause::Owner, 7, &mut || ());
    let mut boot = clinic.starts();
    boot.turn();
    boot.types("remember");
    enters(&mut boot, &code);
    assert!(boot.has_done(&Done::Remembered));
    assert!(boot.said("No backup stick counts as tried any more."));
}

#[test]
fn a_mistyped_group_is_asked_for_again_and_not_counted() {
    let mut clinic = Clinic::new().with_code();
    let code = right_code(&clinic);
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, &code[..1]);
    boot.types("cccccca");
    assert!(boot.said("Group 2 has a letter that is in no code."));
    boot.types("ccccccc");
    assert!(boot.said("Group 2 does not have 8 letters."));
    assert_eq!(asked_for_group(&boot, 2), 3);
    for group in &code[1..] {
        boot.types(group);
    }
    assert!(boot.released());
    assert_eq!(wrong_codes(&boot), 0);
}

#[test]
fn a_wrong_code_is_on_the_disk_before_it_is_told() {
    for is_of_another_key in [true, false] {
        let mut clinic = Clinic::new().with_code();
        let mut code = right_code(&clinic);
        match is_of_another_key {
            true => code = foreign_code(&clinic, 1),
            false => code.swap(0, 1),
        }
        let mut boot = at_the_prompt(&mut clinic);
        enters(&mut boot, &code);
        assert!(!boot.released());
        assert_eq!(wrong_codes(&boot), 1);
        let noted = boot.position(|done| *done == Done::Noted(EventKind::WrongCode));
        let told = boot.position_of("The code is wrong");
        assert!(told.is_some() && noted < told, "{:?}", boot.done);
    }
}

#[test]
fn a_code_that_was_replaced_is_called_too_old() {
    let mut clinic = Clinic::new().with_code();
    let code = foreign_code(&clinic, 2);
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, &code);
    assert!(boot.said("This code is too old"));
    assert!(!boot.released());
    assert_eq!(wrong_codes(&boot), 0);
}

#[test]
fn a_code_whose_part_in_the_vault_is_lost_is_not_called_wrong() {
    let mut clinic = Clinic::new().with_code();
    let code = right_code(&clinic);
    let lost = Ways::default();
    clinic.vault.set_ways(&clinic.key, &lost).unwrap();
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, &code);
    assert!(boot.said("what it unlocks is missing here"));
    assert!(!boot.released());
    assert_eq!(wrong_codes(&boot), 0);
}

#[test]
fn a_server_that_was_reset_is_not_reset_again_by_wrong_codes() {
    let policy = TheftPolicy {
        attempts: Some(5),
        ..TheftPolicy::default()
    };
    let mut clinic = Clinic::with(policy).with_code();
    clinic.vault.reset(ResetCause::Owner, 1, &mut || ());
    let (wrong, right) = (foreign_code(&clinic, 1), right_code(&clinic));
    let mut boot = at_the_prompt(&mut clinic);
    for _ in 0..6 {
        enters(&mut boot, &wrong);
        boot.passes(70);
    }
    assert_eq!(wrong_codes(&boot), 6);
    assert_eq!(boot.count(|done| matches!(done, Done::Destroyed { .. })), 0);
    enters(&mut boot, &right);
    assert!(boot.released());
}

#[test]
fn a_code_mends_altered_settings() {
    let mut clinic = Clinic::new().with_code().tampered();
    let code = right_code(&clinic);
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, &code);
    assert!(boot.said("To put safe settings back and go on, type mend."));
    assert!(!boot.released());
    boot.types("mend");
    assert!(boot.released());
}

#[test]
fn a_code_that_somebody_took_off_the_list_is_on_it_again() {
    let mut clinic = Clinic::new().with_code();
    clinic.vault.claim_sticks(&StickList::default());
    let code = right_code(&clinic);
    let mut boot = at_the_prompt(&mut clinic);
    enters(&mut boot, &code);
    assert!(!boot.released());
    boot.types("mend");
    assert!(boot.released());
    let list = clinic.vault.unproven_sticks().unwrap();
    assert!(list.as_claimed().code_of(1).is_some());
}

#[test]
fn a_code_makes_this_place_a_second_one_where_that_was_asked() {
    let mut clinic = Clinic::new().with_code();
    let code = right_code(&clinic);
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("remember");
    assert!(boot.said("adds this place beside its home"));
    enters(&mut boot, &code);
    assert!(boot.released() && boot.has_done(&Done::Remembered));
    assert!(boot.said("This place is remembered"));
}

#[test]
fn a_key_that_waited_for_mend_is_forgotten_in_a_reset() {
    let mut clinic = Clinic::new().tampered();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.types(PIN);
    assert!(boot.said("type mend"));
    boot.types("reset");
    boot.types("clinic");
    assert_eq!(boot.count(|done| matches!(done, Done::Destroyed { .. })), 1);
    // The stick that is still there is asked for its PIN.
    boot.presses_escape();
    boot.types("mend");
    assert!(boot.said("There is nothing to mend yet."));
    assert!(!boot.released());
}
