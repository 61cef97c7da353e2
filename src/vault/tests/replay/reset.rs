//! The reset and the way back from it.

use super::*;
use crate::theft::ResetCause;
use crate::vault::tests::{FailingDevice, Fails};

const DONE: TheftState = TheftState::Reset {
    cause: ResetCause::Strikes,
    time: 5,
};

pub(super) fn reset(vault: &mut Vault<MemoryDevice>) {
    vault.reset(ResetCause::Strikes, 5, &mut || ());
}

/// A vault that was reset, and the pepper that it had.
fn after_a_reset() -> (MasterKey, MemoryDevice, OldPepper) {
    let (key, device) = made();
    let old = OldPepper::of(&device);
    let mut vault = Vault::open(device).unwrap();
    reset(&mut vault);
    (key, vault.device.fresh(), old)
}

#[test]
fn power_cut_during_a_reset_leaves_a_vault_or_no_pepper() {
    let (key, before) = made();
    let old = OldPepper::of(&before);
    let steps = record(&before, reset);
    crashes(&before, &steps, |disk, done| {
        assert!(!(done && old.is_there(&disk)), "it was left");
        let vault = Vault::open(disk).unwrap();
        match vault.state().unwrap() {
            TheftState::Armed => {
                assert!(!done);
                assert_eq!(vault.slots().unwrap().next_id, 1);
            }
            state => {
                assert_eq!(state, DONE, "what was begun is finished at once");
                assert_eq!(vault.slots().err(), Some(VaultError::WasReset));
                assert!(!old.is_there(&vault.device), "it came back");
            }
        }
        // A stick always opens.
        vault.prove(&key).unwrap();
    });
}

#[test]
fn a_reset_leaves_nothing_of_peppers_and_slots_behind() {
    let (_, before) = made();
    let mut vault = Vault::open(before.fresh()).unwrap();
    let destroyed = vault.reset(ResetCause::Owner, 5, &mut || ());
    assert_eq!(destroyed.failed, 0);
    let block = |device: &MemoryDevice, block: u32| {
        let start = block as usize * BLOCK_SIZE;
        device.bytes[start..start + BLOCK_SIZE].to_vec()
    };
    let regions = [Area::First, Area::Second].iter().flat_map(|area| {
        let slots = area.slots();
        let copies = [slots.start, slots.start + HALF];
        let slots = copies
            .into_iter()
            .flat_map(move |start| start..start + slots.blocks);
        slots.chain(area.pepper()..area.pepper() + layout::PEPPER_BLOCKS)
    });
    for at in regions {
        let now = block(&vault.device, at);
        assert_ne!(now, block(&before, at), "block {at} is as it was");
        assert!(now.iter().any(|byte| *byte != 0), "block {at} is not noise");
    }
}

#[test]
fn the_pepper_is_verified_to_be_gone_before_the_rest_is_done() {
    let (_, before) = made();
    let steps = record(&before, |vault| {
        // What is on the disk at that moment is looked at below.
        let mut calls = 0;
        vault.reset(ResetCause::Owner, 5, &mut || calls += 1);
        assert_eq!(calls, 1);
    });
    // Reset begun stands in both copies, flushed, before anything is destroyed.
    let states = [STATE.start, STATE.start + HALF];
    let firsts: Vec<&Step> = steps.iter().take(4).collect();
    assert!(matches!(firsts[0], Step::Write(block, _) if states.contains(block)));
    assert_eq!(firsts[1], &Step::Flush);
    assert!(matches!(firsts[2], Step::Write(block, _) if states.contains(block)));
    assert_eq!(firsts[3], &Step::Flush);
}

#[test]
fn power_cut_while_rearming_leaves_the_stick_a_way_in() {
    let (key, before, old) = after_a_reset();
    let steps = record(&before, |vault| {
        vault.replace_slots(&key, &table(2)).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let mut vault = Vault::open(disk).unwrap();
        vault.prove(&key).unwrap();
        assert!(!old.is_there(&vault.device));
        match vault.state().unwrap() {
            TheftState::Armed => assert_eq!(vault.slots().unwrap().next_id, 2),
            state => assert!(!done && state == DONE),
        }
        // And it can be done again.
        vault.replace_slots(&key, &table(3)).unwrap();
        assert_eq!(vault.slots().unwrap().next_id, 3);
        assert!(vault.prove(&key).unwrap().state_proven);
    });
}

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

#[test]
fn a_disk_that_does_not_take_a_block_does_not_save_the_others() {
    let (_, device) = made();
    let old = OldPepper::of(&device);
    let bad = Area::First.pepper() + 3;
    let failing = FailingDevice {
        disk: device,
        bad: vec![bad],
        fails: Fails::Writing,
    };
    let mut vault = Vault::open(failing).unwrap();
    let destroyed = vault.reset(ResetCause::Owner, 5, &mut || ());
    let expected = Destroyed {
        failed: 1,
        discarded: Discarded::No,
        state: Ok(Written::Twice),
        is_gone: false,
    };
    assert_eq!(destroyed, expected);
    assert!(!old.is_there(&vault.device.disk));
}

#[test]
fn gone_is_said_only_when_nothing_of_the_pepper_is_left() {
    use std::cell::RefCell;
    use std::rc::Rc;
    /// A disk that can be looked at meanwhile.
    struct Watched(Rc<RefCell<MemoryDevice>>);
    impl BlockDevice for Watched {
        fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
            self.0.borrow().read_block(block, into)
        }
        fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
            self.0.borrow_mut().write_block(block, bytes)
        }
        fn flush(&mut self) -> Result<(), VaultError> {
            self.0.borrow_mut().flush()
        }
        fn discard(&mut self, start: u32, blocks: u32) -> Discarded {
            self.0.borrow_mut().discard(start, blocks)
        }
    }
    let (_, disk) = made();
    let before = disk.fresh();
    let disk = Rc::new(RefCell::new(disk));
    let mut target = ResetTarget::of(Watched(disk.clone())).unwrap();
    let mut calls = 0;
    target.reset(ResetCause::Owner, 5, &mut || {
        calls += 1;
        let now = disk.borrow();
        for area in [Area::First, Area::Second] {
            let (old, new) = (area_bytes(&before, area), area_bytes(&now, area));
            let blocks = old.chunks(BLOCK_SIZE).zip(new.chunks(BLOCK_SIZE));
            assert!(blocks.into_iter().all(|(old, new)| old != new));
        }
        assert_eq!(now.steps.last(), Some(&Step::Flush));
    });
    assert_eq!(calls, 1);
}

#[test]
fn gone_is_never_said_of_what_the_disk_did_not_take() {
    let (_, disk) = made();
    for fails in Fails::ALL {
        for area in [Area::First, Area::Second] {
            let failing = FailingDevice {
                disk: disk.fresh(),
                bad: vec![area.pepper() + 31],
                fails,
            };
            let mut target = ResetTarget::of(failing).unwrap();
            target.reset(ResetCause::Owner, 5, &mut || panic!("{fails:?}"));
        }
    }
}

#[test]
fn a_flush_that_fails_destroys_nothing_for_certain() {
    struct NeverFlushed(MemoryDevice);
    impl BlockDevice for NeverFlushed {
        fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
            self.0.read_block(block, into)
        }
        fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
            self.0.write_block(block, bytes)
        }
        fn flush(&mut self) -> Result<(), VaultError> {
            Err(VaultError::Device(libc::EIO))
        }
        fn discard(&mut self, _: u32, _: u32) -> Discarded {
            Discarded::No
        }
    }
    let (key, disk) = made();
    let mut target = ResetTarget::of(NeverFlushed(disk.fresh())).unwrap();
    let destroyed = target.reset(ResetCause::Owner, 5, &mut || panic!("not certain"));
    let slots = 2 * 2 * Area::First.slots().blocks;
    assert_eq!(destroyed.failed, 2 * layout::PEPPER_BLOCKS + slots);
    assert!(destroyed.state.is_err());
    let mut vault = Vault::open(NeverFlushed(disk)).unwrap();
    assert!(vault.replace_slots(&key, &table(2)).is_err());
    assert!(vault.arm(&key).is_err());
}

/// Somebody's new slots came after the reset, and the power went before that was
/// found.
#[test]
fn slots_written_beside_a_reset_are_gone_at_the_next_look() {
    let (key, disk, _) = after_a_reset();
    let mut vault = Vault::open(disk).unwrap();
    let area = vault.header.pepper.area().other();
    let pepper = Secret32::random();
    vault.write_area(&key, area, &pepper, &table(7)).unwrap();
    let mut header = vault.header.clone();
    header.pepper = header::PepperInUse::new(area, pepper::digest(&pepper), true);
    vault.write_header(header).unwrap();
    let vault = Vault::open(vault.device.fresh()).unwrap();
    let in_use = vault.header.pepper;
    let left = pepper::read(&vault.device, in_use.area(), &in_use.digest);
    assert!(left.is_err(), "slots open for who has the disk");
    assert_eq!(vault.state(), Ok(DONE));
    vault.prove(&key).expect("a stick opens");
}

#[test]
fn a_vault_of_a_newer_version_is_neither_opened_nor_reset() {
    for region in [layout::HEADER, layout::STATE, layout::LOG_NEWEST] {
        for copy in [0, layout::HALF] {
            let (_, mut disk) = made();
            let mut block = [0; BLOCK_SIZE];
            disk.read_block(region.start + copy, &mut block).unwrap();
            record::set_version(&mut block, FORMAT_VERSION + 1);
            disk.write_block(region.start + copy, &block).unwrap();
            let before = disk.bytes.clone();
            let target = ResetTarget::of(disk.fresh());
            assert_eq!(target.err(), Some(VaultError::Newer));
            let opened = Vault::open(disk).map(|vault| {
                assert!(vault.device.bytes == before, "it was written to");
                let log = vault.events().map(drop);
                vault.state().map(drop).and(log)
            });
            let newer = opened.and_then(|read| read);
            assert_eq!(newer.err(), Some(VaultError::Newer), "copy {copy}");
        }
    }
}
