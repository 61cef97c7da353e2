//! Whoever has the disk reads the pepper and writes the slot table anew; what
//! only the owner may decide must not come from there.

use super::people::with_people;
use super::*;

/// The disk with a table that somebody wrote who has the disk, and no key.
fn altered(disk: MemoryDevice, change: impl FnOnce(&mut SlotTable)) -> MemoryDevice {
    let vault = Vault::open(disk).unwrap();
    let Header { pepper, .. } = &vault.header;
    let area = pepper.area();
    let pepper = pepper::read(&vault.device, area, &pepper.digest).unwrap();
    let mut table = vault.slots().unwrap();
    change(&mut table);
    let thief = MasterKey::generate();
    let payload = table.seal(&thief, &pepper, &vault.header, area);
    let mut disk = vault.device.fresh();
    store::write(&mut disk, area.slots(), &payload).unwrap();
    disk
}

fn nothing_needed(table: &mut SlotTable) {
    table.environments[0].need = Thresholds::default();
}

fn cheap_guesses(table: &mut SlotTable) {
    table.passphrases = Passphrases::quick();
}

#[test]
fn a_table_changed_without_the_key_releases_nothing() {
    let changes: [fn(&mut SlotTable); 3] = [nothing_needed, cheap_guesses, |table| {
        table.next_id += 1;
    }];
    for change in changes {
        let (key, disk) = made();
        let vault = Vault::open(altered(disk, change)).unwrap();
        // What is tried may come from anybody.
        vault.slots().unwrap();
        assert_eq!(vault.prove(&key).err(), Some(VaultError::Altered));
    }
}

#[test]
fn new_secrets_are_never_made_from_a_changed_table() {
    for change in [nothing_needed, cheap_guesses] {
        let (key, disk) = made();
        let vault = Vault::open(altered(disk, change)).unwrap();
        assert_eq!(vault.slots_if_any(&key), Err(VaultError::Altered));
        let proven = vault.proven_slots(&key);
        assert_eq!(proven.err(), Some(VaultError::Altered));
    }
}

#[test]
fn a_table_of_another_server_or_key_does_not_prove() {
    let (key, disk, _) = with_people();
    let vault = Vault::open(disk).unwrap();
    let slots = vault.proven_slots(&key).unwrap();
    assert_eq!(slots.passphrases.slots().len(), 2);
    let foreign = vault.proven_slots(&MasterKey::generate());
    assert_eq!(foreign.err(), Some(VaultError::WrongKey));
}

#[test]
fn mending_a_changed_table_leaves_no_slot_of_it() {
    let (key, disk, _) = with_people();
    let mut vault = Vault::open(altered(disk, nothing_needed)).unwrap();
    vault.mend(&key, &StickList::default()).unwrap();
    let slots = vault.proven_slots(&key).unwrap();
    assert!(slots.environments.is_empty());
    assert!(slots.passphrases.is_empty());
    vault.prove(&key).unwrap();
}

#[test]
fn a_server_without_slots_still_proves() {
    let (key, disk) = made();
    let mut vault = Vault::open(disk).unwrap();
    vault.reset(crate::theft::ResetCause::Owner, 5, &mut || ());
    vault.prove(&key).unwrap();
    assert_eq!(vault.slots_if_any(&key), Ok(None));
}
