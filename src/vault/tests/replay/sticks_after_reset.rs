//! The marks of verified sticks after a reset: which of them count, and which may be wiped.

use super::reset::reset;
use super::*;
use crate::theft::ResetCause;
use crate::vault::tests::{FailingDevice, Fails};

fn one_verified(generation: u32) -> StickList {
    let stick = KnownStick {
        id: [1; 8],
        label: "bank".try_into().unwrap(),
        has_pin: true,
        generation,
        made: 0,
        verified: Some(0),
        kept: None,
    };
    StickList {
        sticks: [stick].into_iter().collect(),
        code: None,
    }
}

#[test]
fn a_stick_that_a_reset_may_have_wiped_is_no_way_back() {
    use crate::theft::WayBack;
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    let generation = vault.header().generation;
    vault.set_sticks(&key, one_verified(generation)).unwrap();
    let way_back = |vault: &Vault<MemoryDevice>| {
        let list = vault.prove(&key).unwrap().sticks.draft();
        list.way_back(vault.header().generation, &[])
    };
    vault.replace_slots(&key, &table(2)).unwrap();
    assert_eq!(way_back(&vault), WayBack::Listed);

    reset(&mut vault);
    let mut vault = Vault::open(vault.device.fresh()).unwrap();
    // Nor may a second reset destroy the stick that is plugged in now.
    assert_eq!(way_back(&vault), WayBack::None);
    let listed = vault.unproven_sticks().unwrap();
    assert_eq!(listed.as_claimed().way_back(1, &[]), WayBack::None);
    vault.replace_slots(&key, &table(3)).unwrap();
    assert!(vault.prove(&key).unwrap().state_proven);
    assert_eq!(way_back(&vault), WayBack::None);
}

fn verified(list: &StickList) -> Vec<[u8; 8]> {
    let sticks = list.sticks.iter();
    let verified = sticks.filter(|stick| stick.verified.is_some());
    verified.map(|stick| stick.id).collect()
}

/// Notes that the stick with this id opens the server, as `stayput stick verify` does.
fn verify(vault: &mut Vault<MemoryDevice>, key: &MasterKey, id: u8) {
    let mut list = vault.prove(key).unwrap().sticks.draft();
    list.note_verified(KnownStick {
        id: [id; 8],
        ..one_verified(1).sticks[0].clone()
    });
    vault.set_sticks(key, list).unwrap();
}

fn proven(vault: &Vault<MemoryDevice>, key: &MasterKey) -> Vec<[u8; 8]> {
    verified(&vault.prove(key).unwrap().sticks)
}

/// A vault whose list has the verified stick 1, reset.
fn with_a_stick_after_a_reset() -> (MasterKey, Vault<MemoryDevice>) {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    vault.set_sticks(&key, one_verified(1)).unwrap();
    reset(&mut vault);
    let vault = Vault::open(vault.device.fresh()).unwrap();
    assert_eq!(proven(&vault, &key), [[0; 8]; 0]);
    (key, vault)
}

#[test]
fn a_stick_verified_after_a_reset_counts_once_it_is_enrolled() {
    let (key, mut vault) = with_a_stick_after_a_reset();
    verify(&mut vault, &key, 2);
    let mut vault = Vault::open(vault.device.fresh()).unwrap();
    assert_eq!(proven(&vault, &key), [[2; 8]], "and 1 may have been wiped");
    assert_eq!(vault.slots().err(), Some(VaultError::WasReset));
    vault.replace_slots(&key, &table(2)).unwrap();
    assert_eq!(proven(&vault, &key), [[2; 8]]);
    assert_eq!(vault.state(), Ok(TheftState::Armed));
    // Nothing of it is left for a reset that comes later.
    reset(&mut vault);
    assert_eq!(proven(&vault, &key), [[0; 8]; 0]);
}

#[test]
fn a_stick_that_is_wiped_after_it_was_verified_does_not_count() {
    let (key, mut vault) = with_a_stick_after_a_reset();
    verify(&mut vault, &key, 2);
    // The watch wipes a stick that was not wiped at the reset.
    let mut target = ResetTarget::of(vault.device.fresh()).unwrap();
    target.doubt_sticks().unwrap();
    let disk = target.into_device();
    let mut vault = Vault::open(disk.fresh()).unwrap();
    assert_eq!(proven(&vault, &key), [[0; 8]; 0]);
    vault.replace_slots(&key, &table(2)).unwrap();
    assert_eq!(proven(&vault, &key), [[0; 8]; 0]);
    // An armed vault has nothing to doubt: who would wipe a stick does not.
    let mut target = ResetTarget::of(vault.device).unwrap();
    assert_eq!(target.doubt_sticks(), Err(VaultError::Changed));
}

/// The disk takes the destruction, and no write of the state.
#[test]
fn no_stick_is_wiped_whose_mark_the_disk_does_not_give_up() {
    let wiped_after = |vault: Vault<MemoryDevice>, takes_the_state: bool| {
        let bad = match takes_the_state {
            true => Vec::new(),
            false => vec![layout::STATE.start, layout::STATE.start + layout::HALF],
        };
        let disk = FailingDevice {
            disk: vault.device,
            bad,
            fails: Fails::Writing,
        };
        let mut target = ResetTarget::of(disk).unwrap();
        let destroyed = target.reset(ResetCause::Owner, 9, &mut || ());
        assert!(destroyed.shows());
        assert_eq!(destroyed.state.is_ok(), takes_the_state);
        let may = target.lets_sticks_be_wiped(&destroyed);
        // What comes after the wipe says the same.
        assert_eq!(target.doubt_wiped_sticks().is_ok(), may);
        may
    };
    let listed_since_a_reset = || {
        let (key, mut vault) = with_a_stick_after_a_reset();
        verify(&mut vault, &key, 2);
        vault
    };
    assert!(wiped_after(listed_since_a_reset(), true));
    assert!(!wiped_after(listed_since_a_reset(), false));
    // An armed vault without its pepper counts no stick, nor does a reset that nobody has
    // proven.
    assert!(wiped_after(Vault::open(made().1).unwrap(), false));
    assert!(wiped_after(with_a_stick_after_a_reset().1, false));
}

#[test]
fn a_reset_beside_a_verification_leaves_no_mark() {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    let list = one_verified(1);
    // It was opened before the reset, and writes behind it what it has read before.
    let device = &mut vault.device;
    crate::vault::destruction::reset(device, ResetCause::Owner, 5, &mut || ());
    vault.set_sticks(&key, list).unwrap();
    assert_eq!(proven(&vault, &key), [[0; 8]; 0]);
}

#[test]
fn power_cut_while_a_stick_is_verified_after_a_reset() {
    let (key, vault) = with_a_stick_after_a_reset();
    let before = vault.device.fresh();
    let steps = record(&before, |vault| verify(vault, &key, 2));
    crashes(&before, &steps, |disk, done| {
        let mut vault = Vault::open(disk).unwrap();
        let counts = proven(&vault, &key);
        match done {
            true => assert_eq!(counts, [[2; 8]]),
            false => assert!(counts.iter().all(|id| *id == [2; 8]), "{counts:?}"),
        }
        vault.replace_slots(&key, &table(2)).unwrap();
        assert_eq!(proven(&vault, &key), counts);
    });
}

#[test]
fn power_cut_under_duress_is_finished_at_the_next_boot() {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    vault.set_sticks(&key, one_verified(1)).unwrap();
    let before = vault.device.fresh();
    let old = OldPepper::of(&before);
    let cause = ResetCause::Duress;
    let steps = record(&before, |vault| {
        vault.reset(cause, 5, &mut || ());
    });
    crashes(&before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        let is_whole = vault.slots().is_ok();
        // The marks are there as long as nothing is destroyed, and no longer.
        assert_eq!(proven(&vault, &key).is_empty(), !is_whole);
        assert_eq!(old.is_there(&vault.device), is_whole);
        assert!(!(done && is_whole));
        if !is_whole {
            assert_eq!(vault.state(), Ok(TheftState::Reset { cause, time: 5 }));
        }
    });
}

/// The disk took the destruction and not the state, which still says armed.
#[test]
fn sticks_of_a_vault_that_lost_its_pepper_do_not_count() {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    vault.set_sticks(&key, one_verified(1)).unwrap();
    for block in 0..layout::PEPPER_BLOCKS {
        let noise = [7; BLOCK_SIZE];
        let at = vault.header.pepper.area().pepper() + block;
        vault.device.write_block(at, &noise).unwrap();
    }
    assert_eq!(vault.state(), Ok(TheftState::Armed));
    let is_verified = |list: &StickList| list.sticks[0].verified.is_some();
    assert!(!is_verified(vault.unproven_sticks().unwrap().as_claimed()));
    assert!(!is_verified(&vault.prove(&key).unwrap().sticks));
    vault.replace_slots(&key, &table(2)).unwrap();
    assert!(!is_verified(&vault.prove(&key).unwrap().sticks));
}

#[test]
fn a_disk_that_cannot_be_read_tells_of_no_reset() {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    vault.set_sticks(&key, one_verified(1)).unwrap();
    let failing = FailingDevice {
        bad: vec![vault.header.pepper.area().pepper()],
        disk: vault.device,
        fails: Fails::Reading,
    };
    let vault = Vault::open_unrepaired(failing).unwrap();
    assert!(matches!(vault.slots(), Err(VaultError::Device(_))));
    let is_verified = |list: &StickList| list.sticks[0].verified.is_some();
    assert!(is_verified(vault.unproven_sticks().unwrap().as_claimed()));
    assert!(is_verified(&vault.prove(&key).unwrap().sticks));
}
