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
