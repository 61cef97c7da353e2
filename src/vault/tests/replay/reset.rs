//! The reset and the way back from it.

use super::*;
use crate::theft::ResetCause;

const DONE: TheftState = TheftState::Reset {
    cause: ResetCause::Strikes,
    time: 5,
};

pub(super) fn reset(vault: &mut Vault<MemoryDevice>) {
    vault.reset(ResetCause::Strikes, 5, &mut || ()).unwrap();
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
fn power_cut_during_a_reset_leaves_a_whole_vault_or_one_without_a_pepper() {
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
    let destroyed = vault.reset(ResetCause::Owner, 5, &mut || ()).unwrap();
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
        vault
            .reset(ResetCause::Owner, 5, &mut || calls += 1)
            .unwrap();
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
fn power_cut_while_rearming_still_leaves_the_same_stick_a_way_in() {
    let (key, before, old) = after_a_reset();
    let steps = record(&before, |vault| {
        vault.replace_slots(&key, &table(2)).unwrap()
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
    struct Broken(MemoryDevice, u32);
    impl BlockDevice for Broken {
        fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
            self.0.read_block(block, into)
        }
        fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
            if block == self.1 {
                return Err(VaultError::Device(5));
            }
            self.0.write_block(block, bytes)
        }
        fn flush(&mut self) -> Result<(), VaultError> {
            self.0.flush()
        }
        fn discard(&mut self, _: u32, _: u32) -> Discarded {
            Discarded::No
        }
    }
    let (_, device) = made();
    let old = OldPepper::of(&device);
    let bad = Area::First.pepper() + 3;
    let mut vault = Vault::open(Broken(device, bad)).unwrap();
    let destroyed = vault.reset(ResetCause::Owner, 5, &mut || ()).unwrap();
    let discarded = Discarded::No;
    assert_eq!(
        destroyed,
        Destroyed {
            failed: 1,
            discarded
        }
    );
    assert!(!old.is_there(&vault.device.0));
}
