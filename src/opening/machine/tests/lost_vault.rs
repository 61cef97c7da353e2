//! The vault is lost, with its disk or on it.

use super::boot::{Boot, Done};
use super::clinic::{Clinic, PIN, WORDS};
use crate::filesystem::DRIVERS;
use crate::opening::act::{Event, StageEnd};
use crate::opening::dialogue::Question;
use crate::opening::host::Host;
use crate::vault::{LocateError, VaultError};

const MAKES_IT_ANEW: &str = "stayput init --from-stick DEVICE";

fn lost() -> Clinic {
    let mut clinic = Clinic::new();
    clinic.no_vault = Some(VaultError::NotAVault.into());
    clinic
}

fn at_the_prompt(clinic: &mut Clinic) -> Boot<'_> {
    let mut boot = clinic.starts();
    boot.runs_until(6);
    boot
}

/// How often these words were on the screen.
fn says(boot: &Boot<'_>, words: &str) -> usize {
    boot.count(|done| matches!(done, Done::Said(text) if text.contains(words)))
}

#[test]
fn a_lost_vault_says_what_makes_it_anew_and_nothing_of_cables() {
    let mut clinic = lost();
    let boot = at_the_prompt(&mut clinic);
    assert!(boot.said("There is no vault."));
    assert!(boot.said(MAKES_IT_ANEW) && boot.said("     continue   start the system"));
    assert!(!boot.said("connected") && !boot.said("cable"));
}

#[test]
fn a_disk_that_does_not_answer_may_be_loose_or_dead() {
    let mut clinic = Clinic::new();
    clinic.is_broken = true;
    let boot = at_the_prompt(&mut clinic);
    assert!(boot.said("Check that the server's disk is connected."));
    assert!(boot.said(MAKES_IT_ANEW));
}

#[test]
fn a_stick_without_a_vault_hears_what_to_do() {
    let mut clinic = lost();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.passes(60);
    boot.tell(Event::DisksChanged);
    boot.turn();
    assert_eq!(says(&boot, "this stick"), 1, "once: {:?}", boot.done);
    let told = boot
        .position_of("no vault that this stick could open")
        .unwrap();
    assert!(matches!(&boot.done[told], Done::Said(text) if text.contains(MAKES_IT_ANEW)));
    assert_eq!(boot.count(|done| matches!(done, Done::Asked(_))), 0);
    assert_eq!(boot.ended(), None, "it waits");
}

#[test]
fn a_stick_that_came_before_the_vault_opens_it_later() {
    let mut clinic = lost();
    let mut boot = at_the_prompt(&mut clinic);
    boot.gets_stick();
    boot.turn();
    boot.clinic.no_vault = None;
    boot.tell(Event::DisksChanged);
    boot.turn();
    assert!(boot.has_done(&Done::Asked(Question::Pin("office".try_into().unwrap()))));
    boot.types(PIN);
    assert!(boot.released());
}

#[test]
fn a_disk_that_goes_at_the_last_moment_is_found_again() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("passphrase");
    boot.clinic.is_broken = true;
    boot.types(WORDS);
    assert!(boot.has_done(&Done::Checked("not proven")));
    assert!(!boot.released());
    boot.clinic.is_broken = false;
    boot.tell(Event::DisksChanged);
    boot.types("passphrase");
    boot.types(WORDS);
    assert!(boot.released(), "{:?}", boot.done);
}

#[test]
fn without_a_vault_there_is_nothing_to_reset() {
    let mut clinic = lost();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("reset");
    assert_eq!(says(&boot, "There is no vault."), 2, "at the start and now");
    assert!(!boot.has_done(&Done::Asked(Question::ServerName)));
}

#[test]
fn the_system_starts_without_its_vault_when_somebody_says_so() {
    let mut clinic = lost();
    let mut boot = at_the_prompt(&mut clinic);
    assert_eq!(boot.ended(), None, "never by itself");
    boot.types("continue");
    assert!(boot.said("The system starts, without the database."));
    assert_eq!(boot.ended(), Some(StageEnd::WithoutKeys));
    assert!(!boot.released());
}

#[test]
fn nobody_starts_a_server_with_its_vault_past_the_policy() {
    let mut clinic = Clinic::new();
    let mut boot = at_the_prompt(&mut clinic);
    boot.types("continue");
    assert_eq!(boot.ended(), None);
    assert!(boot.said("stayput policy --on-failure continue"));
}

#[test]
fn a_server_whose_vault_may_be_whole_is_not_started_so() {
    let newer = LocateError::Vault(VaultError::Newer);
    let no_driver = LocateError::NoDriver(DRIVERS[0]);
    for whole in [newer, LocateError::OtherServer, no_driver] {
        let mut clinic = Clinic::new();
        clinic.no_vault = Some(whole);
        let mut boot = at_the_prompt(&mut clinic);
        assert!(!boot.said("     continue   start the system"), "{whole}");
        boot.types("continue");
        assert_eq!(boot.ended(), None, "{whole}");
        assert!(!boot.said("The system starts"), "{whole}");
        assert_eq!(says(&boot, &whole.to_string()), 2, "at the start and now");
        assert!(!boot.said("stayput policy"), "no policy was read");
        boot.gets_stick();
        boot.passes(10);
        assert!(!boot.said(MAKES_IT_ANEW), "{whole}");
    }
}

#[test]
fn a_vault_that_is_whole_is_not_to_be_made_anew() {
    use crate::opening::messages::Reason;
    let newer = LocateError::Vault(VaultError::Newer);
    let no_driver = LocateError::NoDriver(DRIVERS[0]);
    for whole in [newer, LocateError::OtherServer, no_driver] {
        let advice = Reason::NoVault(whole).advice();
        assert!(!advice.contains("from-stick"), "{advice}");
        assert!(!advice.contains("connected"), "{advice}");
    }
}
