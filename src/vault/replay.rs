//! The power is cut between or inside any two writes: what then?
//!
//! Each test records the writes of one operation and replays every prefix of
//! them, whole and torn at each 512-byte sector of the next write.

use super::memory::MemoryDevice;
use super::*;

fn table(next_id: u32) -> SlotTable {
    SlotTable {
        next_id,
        ..SlotTable::default()
    }
}

fn made() -> (MasterKey, MemoryDevice) {
    let key = MasterKey::generate();
    let name = "clinic".try_into().unwrap();
    let vault = Vault::create(
        MemoryDevice::default(),
        ServerId::random(),
        name,
        &key,
        &table(1),
    )
    .unwrap();
    let mut device = vault.device;
    device.writes.clear();
    (key, device)
}

/// Runs `operation`, then `check` on every state that a power cut during it
/// can leave. `check` is told whether the operation had ended.
fn at_every_cut(
    before: &MemoryDevice,
    operation: impl FnOnce(&mut Vault<MemoryDevice>),
    check: impl Fn(MemoryDevice, bool),
) {
    let mut vault = Vault::open(before.clone()).unwrap();
    operation(&mut vault);
    let writes = vault.device.writes;
    assert!(!writes.is_empty());
    for whole in 0..=writes.len() {
        for torn in (0..BLOCK_SIZE).step_by(512) {
            let done = whole == writes.len();
            check(MemoryDevice::cut(before, &writes, whole, torn), done);
            if done {
                break;
            }
        }
    }
}

#[test]
fn power_cut_while_changing_slots_leaves_the_old_ones_or_the_new() {
    let (key, before) = made();
    at_every_cut(
        &before,
        |vault| vault.replace_slots(&table(2)).unwrap(),
        |device, done| {
            let vault = Vault::open(device).unwrap();
            let slots = vault.slots().expect("the key is never lost");
            assert!(slots.next_id == 2 || (!done && slots.next_id == 1));
            vault.prove(&key).unwrap();
        },
    );
}

#[test]
fn a_replaced_pepper_does_not_come_back_whatever_was_interrupted() {
    let (_, before) = made();
    let old_area = Area::First;
    let old_digest = Vault::open(before.clone()).unwrap().header.pepper.digest;
    at_every_cut(
        &before,
        |vault| vault.replace_slots(&table(2)).unwrap(),
        |device, _| {
            let vault = Vault::open(device).unwrap();
            if vault.slots().unwrap().next_id == 2 {
                let again = pepper::read(&vault.device, old_area, &old_digest);
                assert_eq!(again.err(), Some(VaultError::PepperDamaged));
            }
        },
    );
}

#[test]
fn power_cut_while_changing_the_policy_leaves_the_old_one_or_the_new() {
    let (key, before) = made();
    let new = Policy {
        mariadb: Some(MariadbRelease::new(100, 101)),
    };
    at_every_cut(
        &before,
        |vault| vault.set_policy(&key, &new).unwrap(),
        |device, done| {
            let proven = Vault::open(device).unwrap().prove(&key).unwrap();
            assert!(proven.policy == new || (!done && proven.policy == Policy::default()));
        },
    );
}

#[test]
fn power_cut_while_logging_costs_at_most_that_event() {
    let (key, before) = made();
    at_every_cut(
        &before,
        |vault| vault.append(7, [1; 16], EventKind::VaultMade).unwrap(),
        |device, done| {
            let vault = Vault::open(device).unwrap();
            let events = vault.events().unwrap();
            assert!(events.len() == 1 || (!done && events.is_empty()));
            vault.prove(&key).unwrap();
        },
    );
}

#[test]
fn power_cut_while_making_the_vault_leaves_no_half_a_vault() {
    let key = MasterKey::generate();
    let before = MemoryDevice::default();
    let name: ServerName = "clinic".try_into().unwrap();
    let id = ServerId::random();
    let vault = Vault::create(before.clone(), id, name, &key, &table(1)).unwrap();
    let writes = vault.device.writes;
    for whole in 0..=writes.len() {
        let device = MemoryDevice::cut(&before, &writes, whole, 0);
        match Vault::open(device) {
            Err(error) => assert_eq!(error, VaultError::NotAVault),
            Ok(vault) => {
                assert_eq!(vault.slots().unwrap().next_id, 1);
                vault.prove(&key).unwrap();
            }
        }
    }
}

#[test]
fn one_damaged_copy_of_any_record_is_mended_from_the_other() {
    let (key, before) = made();
    for block in [0, 1, 2, 4, 8] {
        for copy in [0, layout::HALF] {
            let mut device = before.clone();
            device.damage(block + copy);
            let vault = Vault::open(device).unwrap();
            vault.slots().unwrap();
            vault.prove(&key).unwrap();
            let mut device = vault.device;
            device.damage(block + layout::HALF - copy);
            assert!(
                Vault::open(device).unwrap().prove(&key).is_ok(),
                "the other copy of block {block} was not mended"
            );
        }
    }
}

#[test]
fn a_policy_changed_on_the_disk_opens_nothing() {
    let (key, before) = made();
    let (_, foreign) = made();
    let mut device = before.clone();
    for block in [POLICY.start, POLICY.start + layout::HALF] {
        let mut bytes = [0; BLOCK_SIZE];
        foreign.read_block(block, &mut bytes).unwrap();
        device.write_block(block, &bytes).unwrap();
    }
    let proven = Vault::open(device).unwrap().prove(&key);
    assert_eq!(proven.err(), Some(VaultError::Altered));
}

#[test]
fn a_foreign_key_is_not_taken_for_the_servers_own() {
    let (_, device) = made();
    let vault = Vault::open(device).unwrap();
    let proven = vault.prove(&MasterKey::generate());
    assert_eq!(proven.err(), Some(VaultError::WrongKey));
}

#[test]
fn a_damaged_pepper_is_told_from_everything_else() {
    let (_, mut device) = made();
    device.damage(Area::First.pepper() + 3);
    let vault = Vault::open(device).unwrap();
    assert_eq!(vault.slots().err(), Some(VaultError::PepperDamaged));
}
