//! What a disk was asked to keep, in order: QEMU's record of writes and
//! flushes, and the disks that a power cut could have left.
//!
//! The record is that of Linux' dm-log-writes (drivers/md/dm-log-writes.c),
//! which QEMU's driver blklogwrites writes too. Killing QEMU alone keeps every
//! write; a real disk may lose what was not flushed, in any order.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{Failure, Result};

const MAGIC: u64 = 0x006a_7366_7773_6872;
const SECTOR: usize = 512;
const FLUSH: u64 = 1;
/// Force unit access: on the medium when the write is done.
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One request that wrote, dropped or flushed.
struct Entry {
    sector: u64,
    data: Vec<u8>,
    flush: bool,
    fua: bool,
}

type Sectors<'a> = BTreeMap<u64, &'a [u8]>;

fn write(disk: &Path, sectors: &Sectors<'_>) -> Result {
    let disk = File::options().write(true).open(disk)?;
    for (sector, data) in sectors {
        disk.write_all_at(data, sector * SECTOR as u64)?;
    }
    disk.sync_all()?;
    Ok(())
}

/// Everything that one disk was asked to keep while a machine was on.
pub struct WriteLog {
    entries: Vec<Entry>,
}

/// The same numbers for the same seed (xorshift64*): a cut can be repeated.
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        bits as usize % bound
    }
}

fn number(bytes: &[u8], at: usize) -> Result<u64> {
    bytes
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_le_bytes)
        .ok_or_else(|| Failure::new("the record of writes ends too early"))
}

impl WriteLog {
    /// Reads the record; what QEMU was killed in the middle of is left out.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        // QEMU writes the head of its record at each flush.
        if number(&bytes, 0)? != MAGIC {
            return Err(Failure::new(format!(
                "{} is not a record of writes, or nothing was ever flushed",
                path.display()
            )));
        }
        let mut entries = Vec::new();
        let mut at = SECTOR;
        while bytes.len() >= at + SECTOR {
            let sector = number(&bytes, at)?;
            let length = number(&bytes, at + 8)? as usize * SECTOR;
            let flags = number(&bytes, at + 16)?;
            let stored = if flags & DISCARD == 0 { length } else { 0 };
            let from = at + SECTOR;
            let Some(data) = bytes.get(from..from + stored) else {
                break;
            };
            // A discarded range may hold anything; QEMU's files give zeros.
            let data = if flags & DISCARD == 0 {
                data.to_vec()
            } else {
                vec![0; length]
            };
            entries.push(Entry {
                sector,
                data,
                flush: flags & FLUSH != 0,
                fua: flags & FUA != 0,
            });
            at = from + stored;
        }
        if entries.iter().all(|entry| entry.data.is_empty()) {
            return Err(Failure::new("the record of writes holds no write"));
        }
        Ok(Self { entries })
    }

    /// How many requests there are.
    pub fn requests(&self) -> usize {
        self.entries.len()
    }

    /// Makes of `disk`, which holds what it held before the first request, the
    /// disk that a power cut after `requests` of them could have left: what
    /// was flushed is there; of the rest `random` keeps some, the last one
    /// perhaps torn.
    pub fn cut(&self, disk: &Path, requests: usize, random: &mut Seeded) -> Result {
        let mut sectors = self.kept(requests, || random.below(2) == 0);
        if let Some(torn) = self.entries.get(requests) {
            let whole = torn.data.len() / SECTOR;
            let count = random.below(whole + 1);
            sectors.extend((torn.sector..).zip(torn.data.chunks(SECTOR)).take(count));
        }
        write(disk, &sectors)
    }

    /// Makes of `disk`, which holds what it held before the first request, the
    /// disk that has lost everything that it may lose.
    pub fn cut_off_unflushed(&self, disk: &Path) -> Result {
        write(disk, &self.kept(self.requests(), || false))
    }

    /// What stands on the disk after so many requests, by sector; of each that
    /// was not flushed `keep` decides. A later one wins only if it is kept.
    fn kept(&self, requests: usize, mut keep: impl FnMut() -> bool) -> Sectors<'_> {
        let done = &self.entries[..requests];
        let flushed = done.iter().rposition(|entry| entry.flush).unwrap_or(0);
        let mut sectors = Sectors::new();
        for (at, entry) in done.iter().enumerate() {
            if at < flushed || entry.fua || keep() {
                sectors.extend((entry.sector..).zip(entry.data.chunks(SECTOR)));
            }
        }
        sectors
    }
}
