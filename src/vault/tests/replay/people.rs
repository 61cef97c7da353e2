//! Giving, changing and taking away a person's passphrase.

use super::*;
use crate::theft::ResetCause;

/// A vault that opens for Halima and Otieno, and its table.
pub fn with_people() -> (MasterKey, MemoryDevice, SlotTable) {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    let mut slots = table(1);
    slots.passphrases = Passphrases::quick();
    for who in ["halima", "otieno"] {
        add(&mut slots, vault.header(), &key, who);
    }
    vault.replace_slots(&key, &slots).unwrap();
    (key, vault.device.fresh(), slots)
}

fn add(slots: &mut SlotTable, header: &Header, key: &MasterKey, who: &str) {
    let (name, words) = (who.try_into().unwrap(), who.as_bytes());
    let kind = Passphrase::Opens;
    slots
        .add_passphrase(header, key, name, kind, words, 5)
        .unwrap();
}

fn opens_for(slots: &SlotTable, header: &Header, words: &str) -> bool {
    let entered = slots.passphrases.enter(header, words.as_bytes());
    matches!(entered, PassphraseOutcome::Opened { .. })
}

/// After a power cut there is the table before or the one after, never
/// another, and after the one after nobody can have the old one back.
fn old_or_new(change: impl Fn(&mut SlotTable, &Header, &MasterKey)) {
    let (key, before, old_slots) = with_people();
    let old_pepper = OldPepper::of(&before);
    let mut new_slots = old_slots.clone();
    let steps = record(&before, |vault| {
        change(&mut new_slots, vault.header(), &key);
        vault.replace_slots(&key, &new_slots).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        let slots = vault.slots().expect("the key is never lost");
        assert!(*slots == new_slots || (!done && *slots == old_slots));
        if *slots == new_slots {
            assert!(!old_pepper.is_there(&vault.device), "the old one came back");
        }
        vault.prove(&key).unwrap();
    });
}

#[test]
fn power_cut_while_adding_a_passphrase_leaves_old_or_new() {
    old_or_new(|slots, header, key| add(slots, header, key, "amina"));
}

#[test]
fn power_cut_while_changing_a_passphrase_leaves_old_or_new() {
    old_or_new(|slots, header, key| {
        let passphrases = &mut slots.passphrases;
        passphrases
            .change(header, key, "otieno", b"new", 9)
            .unwrap();
        assert!(opens_for(slots, header, "new"));
        assert!(!opens_for(slots, header, "otieno"));
        assert!(opens_for(slots, header, "halima"));
    });
}

#[test]
fn power_cut_while_removing_a_passphrase_leaves_old_or_new() {
    old_or_new(|slots, _, _| slots.passphrases.remove("otieno").unwrap());
}

#[test]
fn a_reset_server_opens_for_no_passphrase() {
    let (key, before, _) = with_people();
    let vault = Vault::open(before.fresh()).unwrap();
    assert!(opens_for(&vault.slots().unwrap(), vault.header(), "halima"));
    let steps = record(&before, |vault| {
        vault.reset(ResetCause::Duress, 5, &mut || ());
    });
    crashes(&before, &steps, |disk, done| {
        let mut vault = Vault::open(disk).unwrap();
        if !vault.state().unwrap().is_reset() {
            assert!(!done);
            return;
        }
        // Nor does it help to write that it was not reset.
        vault.write_proven(&key, &TheftState::Armed).unwrap();
        assert_eq!(vault.slots().err(), Some(VaultError::PepperDamaged));
    });
}
