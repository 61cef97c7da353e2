//! The power is cut between or inside any two writes: what then?
//!
//! [`record`] runs one operation and [`crashes`] lists every disk that a power
//! cut during it can leave: whole prefixes, the last write torn at each sector,
//! and, since a device may keep what was not flushed in any order, every set
//! of the writes between two flushes. The tests open each of them.

mod failing_blocks;
mod lost_stick;
mod operations;
mod people;
mod rekey;
mod reset;
mod sequences;
mod slot_proof;
mod sticks_after_reset;
mod tampering;
mod two_commands;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{MemoryDevice, Step};
use crate::keys::{Sealed, SealedWayKey, Secret32, UnsealedWayKey, WayKey, WrappedKey};
use crate::vault::layout::{Area, HALF};
use crate::vault::*;

const SECTOR: usize = 512;
/// Up to so many writes between two flushes every set of them is tried.
const ALL_SETS: usize = 6;
/// Beyond that, so many sets drawn at random.
const DRAWN_SETS: usize = 12;

/// A table of some blocks, so that it can be torn between and inside them.
pub fn table(next_id: u32) -> SlotTable {
    let sealed = Sealed {
        salt: [1; 32],
        nonce: [2; 12],
        tag: [3; 16],
    };
    let row = Row {
        members: 1,
        salt: [4; 32],
        wrapped: WrappedKey::wrap(&Secret32::random(), "x", b"", &MasterKey::generate()),
    };
    let slot = EnvironmentSlot {
        id: 0,
        name: "home".try_into().unwrap(),
        factors: heapless::Vec::new(),
        need: Thresholds {
            machine: 1,
            neighbours: 1,
            ..Thresholds::default()
        },
        rows: (0..40).map(|_| row.clone()).collect(),
        witnesses: heapless::Vec::new(),
        enrolled: SealedValues {
            sealed,
            bytes: heapless::Vec::new(),
        },
        servers: [KeyServer::largest()].into_iter().collect(),
        addresses: heapless::Vec::new(),
    };
    let mut table = SlotTable {
        next_id,
        passphrases: slots::largest_passphrases(),
        ..SlotTable::default()
    };
    table.environments.extend([Box::new(slot)]);
    table
}

/// A new vault whose slot table has `next_id` 1.
pub fn made() -> (MasterKey, MemoryDevice) {
    let key = MasterKey::generate();
    let device = make_on(MemoryDevice::default(), &key).fresh();
    (key, device)
}

/// Makes a vault of `key` on `device`, with one place in its slot table.
pub fn make_on(device: MemoryDevice, key: &MasterKey) -> MemoryDevice {
    let name = "clinic".try_into().unwrap();
    let vault = Vault::create(device, ServerId::random(), name, key, &table(1)).unwrap();
    vault.device
}

/// What an operation does to the disk.
pub fn record(
    before: &MemoryDevice,
    operation: impl FnOnce(&mut Vault<MemoryDevice>),
) -> Vec<Step> {
    let mut vault = Vault::open(before.fresh()).unwrap();
    vault.device.steps.clear();
    operation(&mut vault);
    assert!(!vault.device.steps.is_empty());
    vault.device.steps
}

/// Calls `check` with every disk that a power cut can leave, and with whether
/// all steps were done and flushed.
pub fn crashes(before: &MemoryDevice, steps: &[Step], mut check: impl FnMut(MemoryDevice, bool)) {
    let mut runner = TestRunner::deterministic();
    let mut durable = before.fresh();
    // The last part holds what no flush came after.
    for part in steps.split_inclusive(|step| *step == Step::Flush) {
        let writes: Vec<&Step> = part.iter().filter(|step| **step != Step::Flush).collect();
        for kept in sets(writes.len(), &mut runner) {
            let mut disk = durable.fresh();
            for at in &kept {
                disk.take(writes[*at], BLOCK_SIZE);
            }
            check(disk, false);
        }
        // In order, the next one torn.
        let mut disk = durable.fresh();
        for write in writes {
            for torn in (SECTOR..BLOCK_SIZE).step_by(SECTOR) {
                let mut disk = disk.fresh();
                disk.take(write, torn);
                check(disk, false);
            }
            disk.take(write, BLOCK_SIZE);
        }
        durable = disk;
    }
    let flushed = steps.last() == Some(&Step::Flush);
    assert!(flushed, "an operation ends with a flush");
    check(durable, true);
}

/// Sets of `0..writes`, as a device may have kept them: all, or a sample that
/// has every prefix, every one missing and every one alone in it.
fn sets(writes: usize, runner: &mut TestRunner) -> Vec<Vec<usize>> {
    let of = |keep: &dyn Fn(usize) -> bool| (0..writes).filter(|at| keep(*at)).collect();
    if writes <= ALL_SETS {
        return (0..1usize << writes)
            .map(|set| of(&|at| set & (1 << at) != 0))
            .collect();
    }
    let mut sets: Vec<Vec<usize>> = (0..writes)
        .flat_map(|edge| {
            [
                of(&|at| at < edge),
                of(&|at| at != edge),
                of(&|at| at == edge),
            ]
        })
        .collect();
    let any_set = proptest::collection::vec(any::<bool>(), writes);
    for _ in 0..DRAWN_SETS {
        let set = any_set.new_tree(runner).unwrap().current();
        sets.push(of(&|at| set[at]));
    }
    sets
}

/// A pepper as it stood on the disk. Reading it needs every bit of it (a test
/// beside the splitter shows that), so it is gone when one is.
pub struct OldPepper(Vec<u8>);

/// Bytes of a split pepper.
const SPLIT: usize = 128_000;

fn area_bytes(device: &MemoryDevice, area: Area) -> &[u8] {
    let start = area.pepper() as usize * BLOCK_SIZE;
    &device.bytes[start..start + SPLIT]
}

impl OldPepper {
    /// The one that is in use.
    pub fn of(device: &MemoryDevice) -> Self {
        let vault = Vault::open_unrepaired(device.fresh()).unwrap();
        let area = vault.header.pepper.area();
        Self(area_bytes(device, area).to_vec())
    }

    /// Whether it can be had from anywhere on the disk.
    pub fn is_there(&self, device: &MemoryDevice) -> bool {
        [Area::First, Area::Second]
            .into_iter()
            .any(|area| area_bytes(device, area) == self.0)
    }
}
