//! The layout of the vault: where each record is. `docs/format.md` describes
//! it.

use static_assertions::const_assert;

/// Bytes of a block, the unit of all reads and writes.
pub const BLOCK_SIZE: usize = 4096;

/// Blocks of each half. Copy A of a record is in the first half, copy B at the
/// same offset in the second, 480 KiB further on.
pub const HALF: u32 = 120;

/// Blocks of a vault: 960 KiB, which fits the gap that partitioning tools leave
/// before the first partition (LBA 40 to 2047: 1004 KiB).
pub const VAULT_BLOCKS: u32 = 2 * HALF;

/// Bytes of a vault: 983,040.
pub const VAULT_BYTES: u64 = VAULT_BLOCKS as u64 * BLOCK_SIZE as u64;

/// The blocks of one record, at the same offset in each half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Block number within a half.
    pub start: u32,
    /// Blocks in one copy.
    pub blocks: u32,
    /// The kind that the record's head must name.
    pub kind: u8,
}

impl Region {
    const fn new(start: u32, blocks: u32, kind: u8) -> Self {
        Self {
            start,
            blocks,
            kind,
        }
    }

    const fn end(self) -> u32 {
        self.start + self.blocks
    }

    /// Bytes in one copy, the head of the record included.
    pub const fn bytes(self) -> usize {
        self.blocks as usize * BLOCK_SIZE
    }
}

/// The header: [`super::Header`].
pub const HEADER: Region = Region::new(0, 1, 1);
/// The theft state: [`crate::theft::TheftState`].
pub const STATE: Region = Region::new(1, 1, 2);
/// The policy: [`super::Policy`].
pub const POLICY: Region = Region::new(2, 1, 3);
/// The newest events of the log.
pub const LOG_NEWEST: Region = Region::new(3, 1, 8);
/// The list of sticks: [`super::StickList`].
pub const STICKS: Region = Region::new(4, 4, 4);

/// Blocks of all the records above, at the start of each half.
pub const SMALL_RECORDS: u32 = STICKS.end();

/// One of the two areas for a pepper and the slots sealed under it. A new
/// pepper goes to the area that is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The area of a new vault.
    First,
    /// The other one.
    Second,
}

impl Area {
    /// The area that is not this one.
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// The region of the slot table: 100 KiB, enough for two places of 256 rows
    /// each.
    pub const fn slots(self) -> Region {
        match self {
            Self::First => Region::new(8, 25, 5),
            Self::Second => Region::new(33, 25, 6),
        }
    }

    /// The first block of the split pepper, counted from the vault's start.
    /// There is one copy, and one area in each half.
    pub const fn pepper(self) -> u32 {
        match self {
            Self::First => PEPPER,
            Self::Second => HALF + PEPPER,
        }
    }
}

const PEPPER: u32 = 58;
/// Blocks of a pepper area. Of its 131,072 bytes 128,000 are used.
pub const PEPPER_BLOCKS: u32 = 32;

/// Records in the ring of older events; each takes one block.
pub const LOG_BLOCKS: u32 = 16;

/// The region of record `index` of the ring.
pub const fn log(index: u32) -> Region {
    Region::new(90 + index % LOG_BLOCKS, 1, 7)
}

/// The ways in of sticks and of the code: [`super::Ways`].
pub const WAYS: Region = Region::new(106, 4, 9);

/// The records of the next generation, until they are in their places.
pub const JOURNAL: Region = Region::new(110, 10, 10);

// Nothing overlaps, and the two copies stand more than 64 KiB apart.
const_assert!(HEADER.end() <= STATE.start && STATE.end() <= POLICY.start);
const_assert!(POLICY.end() <= LOG_NEWEST.start && LOG_NEWEST.end() <= STICKS.start);
const_assert!(SMALL_RECORDS <= Area::First.slots().start);
const_assert!(Area::First.slots().end() <= Area::Second.slots().start);
const_assert!(Area::Second.slots().end() <= PEPPER);
const_assert!(PEPPER + PEPPER_BLOCKS <= log(0).start);
const_assert!(log(LOG_BLOCKS - 1).end() <= WAYS.start);
const_assert!(WAYS.end() <= JOURNAL.start && JOURNAL.end() <= HALF);
const_assert!(HALF as usize * BLOCK_SIZE >= 64 * 1024);
const_assert!(VAULT_BYTES <= (2048 - 40) * 512);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_stands_where_format_md_says() {
        assert_eq!(
            (BLOCK_SIZE, VAULT_BLOCKS, VAULT_BYTES),
            (4096, 240, 983_040)
        );
        let records = [
            HEADER,
            STATE,
            POLICY,
            LOG_NEWEST,
            STICKS,
            Area::First.slots(),
            Area::Second.slots(),
            log(0),
            log(LOG_BLOCKS - 1),
            WAYS,
            JOURNAL,
        ];
        let found = records.map(|region| (region.start, region.blocks, region.kind));
        let documented = [
            (0, 1, 1),
            (1, 1, 2),
            (2, 1, 3),
            (3, 1, 8),
            (4, 4, 4),
            (8, 25, 5),
            (33, 25, 6),
            (90, 1, 7),
            (105, 1, 7),
            (106, 4, 9),
            (110, 10, 10),
        ];
        assert_eq!(found, documented);
        assert_eq!(log(LOG_BLOCKS), log(0), "a ring");
        assert_eq!([Area::First, Area::Second].map(Area::pepper), [58, 178]);
        assert_eq!((SMALL_RECORDS, PEPPER_BLOCKS), (8, 32));
        assert_eq!(STICKS.bytes(), 4 * 4096);
    }
}
