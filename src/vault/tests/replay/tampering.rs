//! What somebody who can write the disk can and cannot do, and damage.

use super::*;
use crate::theft::ResetCause;
use crate::vault::tests::{FailingDevice, Fails};

/// Both copies of a region, from another vault.
pub fn copy_region(into: &mut MemoryDevice, from: &MemoryDevice, region: layout::Region) {
    for copy in [region.start, region.start + HALF] {
        for block in copy..copy + region.blocks {
            let mut bytes = [0; BLOCK_SIZE];
            from.read_block(block, &mut bytes).unwrap();
            into.write_block(block, &bytes).unwrap();
        }
    }
}

/// A vault with one record from another server's.
fn altered(region: layout::Region) -> (MasterKey, Vault<MemoryDevice>) {
    let (key, mut device) = made();
    let (_, foreign) = made();
    copy_region(&mut device, &foreign, region);
    (key, Vault::open(device).unwrap())
}

#[test]
fn a_policy_or_stick_list_changed_on_the_disk_opens_nothing() {
    for region in [POLICY, STICKS] {
        let (key, vault) = altered(region);
        assert_eq!(vault.prove(&key).err(), Some(VaultError::Altered));
    }
}

#[test]
fn a_state_written_without_the_key_does_not_keep_the_owner_out() {
    let (key, mut vault) = altered(STATE);
    assert!(!vault.prove(&key).unwrap().state_proven, "it is noticed");
    vault.arm(&key).unwrap();
    assert!(vault.prove(&key).unwrap().state_proven, "and mended");
}

#[test]
fn armed_written_over_a_reset_opens_nothing() {
    let (key, device) = made();
    let mut vault = Vault::open(device.fresh()).unwrap();
    vault.reset(ResetCause::Owner, 5, &mut || ());
    let mut disk = vault.device;
    copy_region(&mut disk, &device, STATE);
    let vault = Vault::open(disk).unwrap();
    assert_eq!(vault.state(), Ok(TheftState::Armed));
    assert_eq!(vault.slots().err(), Some(VaultError::PepperDamaged));
    vault.prove(&key).expect("a stick opens");
}

#[test]
fn mended_settings_are_safe_and_keep_whom_keys_are_for() {
    let (key, device) = made();
    let (other, foreign) = made();
    let mut foreign = Vault::open(foreign).unwrap();
    let mariadb = Some(MariadbRelease::new(104, 111, 1));
    let dangerous = crate::theft::TheftPolicy {
        attempts: Some(5),
        ..Default::default()
    };
    let policy = Policy {
        mariadb: mariadb.clone(),
        theft: dangerous,
        ..Policy::default()
    };
    foreign.set_policy(&other, policy).unwrap();
    let mut disk = device;
    copy_region(&mut disk, &foreign.device, POLICY);
    let mut vault = Vault::open(disk).unwrap();
    vault.mend(&key, &StickList::default()).unwrap();
    let proven = vault.prove(&key).unwrap();
    let expected = Policy {
        mariadb,
        ..Policy::default()
    };
    assert_eq!(*proven.policy, expected);
}

#[test]
fn mending_needs_the_master_key_and_leaves_what_proves_alone() {
    let (key, mut vault) = altered(STICKS);
    let policy = Policy {
        mariadb: Some(MariadbRelease::new(1, 2, 1)),
        ..Policy::default()
    };
    vault.set_policy(&key, policy.clone()).unwrap();
    let foreign = vault.mend(&MasterKey::generate(), &StickList::default());
    assert_eq!(foreign, Err(VaultError::WrongKey));
    vault.mend(&key, &StickList::default()).unwrap();
    assert_eq!(*vault.prove(&key).unwrap().policy, policy);
}

#[test]
fn a_state_that_nobody_knows_opens_nothing_until_it_is_mended() {
    let (key, mut device) = made();
    for copy in [STATE.start, STATE.start + HALF] {
        device.damage(copy);
    }
    let mut vault = Vault::open(device).unwrap();
    assert_eq!(vault.slots().err(), Some(VaultError::Damaged));
    assert_eq!(vault.prove(&key).err(), Some(VaultError::Damaged));
    vault.mend(&key, &StickList::default()).unwrap();
    assert!(vault.prove(&key).unwrap().state_proven);
    assert_eq!(vault.slots().unwrap().next_id, 1);
}

#[test]
fn one_damaged_copy_of_any_record_is_mended_from_the_other() {
    let (key, before) = made();
    for block in [0, 1, 2, 4, 8] {
        for copy in [0, HALF] {
            let mut device = before.fresh();
            device.damage(block + copy);
            let vault = Vault::open(device).unwrap();
            vault.slots().unwrap();
            vault.prove(&key).unwrap();
            let mut device = vault.device;
            device.damage(block + HALF - copy);
            assert!(
                Vault::open(device).unwrap().prove(&key).is_ok(),
                "the other copy of block {block} was not mended"
            );
        }
    }
}

#[test]
fn a_foreign_key_is_not_taken_for_the_servers_own() {
    let (_, device) = made();
    let mut vault = Vault::open(device).unwrap();
    let foreign = MasterKey::generate();
    assert_eq!(vault.prove(&foreign).err(), Some(VaultError::WrongKey));
    let replaced = vault.replace_slots(&foreign, &table(2));
    assert_eq!(replaced, Err(VaultError::WrongKey));
    assert_eq!(vault.slots().unwrap().next_id, 1);
}

#[test]
fn a_damaged_pepper_is_told_from_everything_else() {
    let (_, mut device) = made();
    device.damage(Area::First.pepper() + 3);
    let vault = Vault::open(device).unwrap();
    assert_eq!(vault.slots().err(), Some(VaultError::PepperDamaged));
}

#[test]
fn a_damaged_copy_is_named_by_check_and_mended_by_a_boot() {
    let (_, device) = made();
    let whole = Vault::open_unrepaired(device.fresh()).unwrap();
    assert_eq!(whole.degraded_records(), [""; 0]);
    assert!(!whole.is_interrupted());
    let slots = whole.header.pepper.area().slots();
    for (region, name) in [
        (HEADER, "header"),
        (STATE, "theft state"),
        (POLICY, "policy"),
        (STICKS, "list of sticks"),
        (WAYS, "ways in of sticks and code"),
        (slots, "slots"),
    ] {
        for copy in [0, HALF] {
            let mut damaged = device.fresh();
            damaged.damage(region.start + copy);
            let looked = Vault::open_unrepaired(damaged.clone()).unwrap();
            assert_eq!(looked.degraded_records(), [name]);
            assert_eq!(looked.device.steps, [], "looking writes nothing");
            let mended = Vault::open(damaged).unwrap();
            assert_eq!(mended.degraded_records(), [""; 0]);
        }
    }
    // Both: that is no longer a copy, and is said elsewhere.
    let mut damaged = device.fresh();
    damaged.damage(POLICY.start);
    damaged.damage(POLICY.start + HALF);
    let lost = Vault::open_unrepaired(damaged).unwrap();
    assert_eq!(lost.degraded_records(), [""; 0]);
}

#[test]
fn a_block_that_the_disk_has_lost_does_not_keep_the_owner_out() {
    let (key, disk) = made();
    let header = Vault::open_unrepaired(disk.fresh()).unwrap().header;
    let slots = header.pepper.area().slots();
    let failing = |bad: &[u32]| FailingDevice {
        disk: disk.fresh(),
        bad: bad.to_vec(),
        fails: Fails::Reading,
    };
    for region in [HEADER, STATE, POLICY, STICKS, WAYS, slots] {
        // What people and sticks open it by is in none of the ways in but their own.
        let keeps_out = region.kind != WAYS.kind;
        let copies = [region.start, region.start + HALF];
        for bad in copies {
            let vault = Vault::open_unrepaired(failing(&[bad])).unwrap();
            assert!(vault.slots().is_ok(), "block {bad}");
            assert!(vault.prove(&key).is_ok(), "block {bad}");
            assert!(vault.is_interrupted(), "block {bad}");
            // A disk replaces a block that is written.
            assert!(Vault::open(failing(&[bad])).is_ok(), "block {bad}");
        }
        let lost = Vault::open(failing(&copies)).and_then(|vault| {
            vault.slots()?;
            vault.prove(&key)
        });
        let expected = keeps_out.then_some(VaultError::Device(libc::EIO));
        assert_eq!(
            lost.err(),
            expected,
            "both copies from block {}",
            region.start
        );
    }
}

#[test]
fn altered_ways_in_keep_those_that_the_key_has_sealed() {
    let (key, mut disk) = made();
    let mut vault = Vault::open(disk.fresh()).unwrap();
    let header = vault.header.clone();
    let mut ways = Ways::default();
    let code = ways.make_code(&header, &key);
    vault.set_ways(&key, &ways).unwrap();
    // Somebody adds a stick of theirs.
    let mut altered = ways.clone();
    let theirs = UnsealedWayKey {
        key: WayKey::random(),
        made_in: 1,
    };
    let stranger = MasterKey::generate();
    assert!(altered.note_stick(&header, &stranger, [6; 8], &theirs, 1));
    let payload = authenticated::encode_unproven(&altered);
    store::write(&mut vault.device, WAYS, &payload).unwrap();
    let is_owners = |ways: &Ways| ways.sticks.is_empty() && ways.code(&header, &key).is_some();
    assert!(is_owners(&vault.ways(&key).unwrap()));
    // It keeps nobody out, and decides about no release.
    assert!(vault.prove(&key).is_ok());
    disk.bytes = vault.device.bytes;
    let mut vault = Vault::open(disk.fresh()).unwrap();
    let opened = vault.unproven_ways().unwrap();
    assert!(opened.as_claimed().key_of_code(&header, &code).is_ok());
    vault.mend(&key, &StickList::default()).unwrap();
    let mended = vault.read_proven::<Ways>(&key).unwrap();
    assert!(is_owners(&mended));
    assert!(mended.key_of_code(&header, &code).is_ok());
}

#[test]
fn wrap_that_somebody_has_overwritten_is_made_anew() {
    let (key, disk) = made();
    let mut vault = Vault::open(disk).unwrap();
    let header = vault.header.clone();
    let mut ways = Ways::default();
    let code = ways.make_code(&header, &key);
    // The seal is the owner's; what the code would open is another's.
    let stranger = MasterKey::generate();
    let mut theirs = Ways::default();
    let _ = theirs.make_code(&header, &stranger);
    let wrapped = theirs.code.unwrap().kept.wrapped;
    ways.code.as_mut().unwrap().kept.wrapped = wrapped;
    assert!(ways.key_of_code(&header, &code).is_err());
    store::write(
        &mut vault.device,
        WAYS,
        &authenticated::encode_unproven(&ways),
    )
    .unwrap();
    let proven = vault.ways(&key).unwrap();
    assert!(proven.key_of_code(&header, &code).is_ok());
}

#[test]
fn earlier_keys_that_were_changed_come_back_from_a_stick() {
    let clinic = super::rekey::clinic();
    let mut vault = Vault::open(clinic.before.fresh()).unwrap();
    clinic.rekey(&mut vault).unwrap();
    let key = clinic.next.key();
    let right = vault.header.earlier.clone();
    let mut header = vault.header.clone();
    let mut bent = postcard_of(&right);
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    header.earlier = postcard::from_bytes(&bent).unwrap();
    vault.write_header(header).unwrap();
    assert_eq!(vault.prove(key).err(), Some(VaultError::Altered));
    // Those of another server do not count.
    let foreign = super::rekey::clinic().next.header.earlier;
    vault.restore_earlier(key, &foreign).unwrap();
    assert_eq!(vault.prove(key).err(), Some(VaultError::Altered));
    vault.restore_earlier(key, &right).unwrap();
    let keys = vault.prove(key).unwrap().keys;
    assert!(keys.of_generation(1).is_some());
}

#[test]
fn earlier_keys_come_back_and_never_with_slots_of_before() {
    let clinic = super::rekey::clinic();
    let mut vault = Vault::open(clinic.before.fresh()).unwrap();
    clinic.rekey(&mut vault).unwrap();
    let (key, right) = (clinic.next.key(), vault.header.earlier.clone());
    let header = Header {
        earlier: super::rekey::clinic().next.header.earlier,
        ..vault.header.clone()
    };
    vault.write_header(header).unwrap();
    let mut slow = Vault::open(vault.device.fresh()).unwrap();
    let mut other = Vault::open(vault.device.fresh()).unwrap();
    // Meanwhile somebody's passphrase is changed, which gives the slots another pepper.
    let slots = other.proven_slots(key).unwrap().draft();
    other.replace_slots(key, &slots).unwrap();
    slow.device = other.device;
    let restored = slow.restore_earlier(key, &right);
    assert_eq!(restored.err(), Some(VaultError::Changed));
    let vault = Vault::open(slow.device.fresh()).unwrap();
    assert_eq!(vault.proven_slots(key).unwrap().draft(), slots);
}

fn postcard_of(earlier: &crate::keys::EarlierKeys) -> Vec<u8> {
    let mut buffer = [0; 2048];
    postcard::to_slice(earlier, &mut buffer).unwrap().to_vec()
}
