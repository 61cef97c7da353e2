//! The two-copy store: every record stands twice, the newest whole copy wins.
//!
//! A write replaces the older copy first and the newer one only when that is
//! on the disk, so a power cut at any point leaves the old record or the new.
//! A disk that refuses one of the two has taken the record all the same: a
//! strike and a reset count on a disk that begins to fail.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::layout::{BLOCK_SIZE, HALF, Region};
use super::record::{self, Invalid};
use super::{BlockDevice, VaultError};

/// In how many copies a record stands after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Written {
    /// The disk refused the other copy: it begins to fail.
    Once,
    /// As it should.
    Twice,
}

impl Written {
    /// Of several writes the worst.
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

/// Tells one write of a record from every other: the digest over its sequence
/// number and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp([u8; 32]);

/// A whole copy.
struct Whole {
    sequence: u64,
    stamp: Stamp,
}

/// What the two copies of a region hold.
struct Copies {
    buffers: [Zeroizing<Vec<u8>>; 2],
    whole: [Result<Whole, Invalid>; 2],
    /// Neither copy can be read.
    unread: Option<VaultError>,
}

fn first_block(region: Region, copy: usize) -> u32 {
    region.start + if copy == 0 { 0 } else { HALF }
}

/// The blocks of a copy that its record fills: most fill one of many.
fn read_copy(
    device: &dyn BlockDevice,
    region: Region,
    copy: usize,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let start = first_block(region, copy);
    let mut first = Zeroizing::new([0; BLOCK_SIZE]);
    device.read_block(start, &mut first[..])?;
    let blocks = record::blocks_of(region, &first[..]);
    let mut buffer = Zeroizing::new(vec![0; blocks as usize * BLOCK_SIZE]);
    let (into, rest) = buffer.split_at_mut(BLOCK_SIZE);
    into.copy_from_slice(&first[..]);
    device.read_blocks(start + 1, rest)?;
    Ok(buffer)
}

impl Copies {
    /// Where the disk begins to fail, a copy that cannot be read counts as
    /// damaged.
    fn read(device: &dyn BlockDevice, region: Region) -> Self {
        let read = [0, 1].map(|copy| read_copy(device, region, copy));
        let unread = match &read {
            [Err(error), Err(_)] => Some(*error),
            _ => None,
        };
        let buffers = read.map(Result::unwrap_or_default);
        let whole = [&buffers[0], &buffers[1]].map(|buffer| {
            record::decode(region, buffer).map(|record| Whole {
                sequence: record.sequence,
                stamp: Stamp(record.digest),
            })
        });
        Self {
            buffers,
            whole,
            unread,
        }
    }

    /// Index of the newest whole copy.
    fn newest(&self) -> Result<usize, Invalid> {
        match &self.whole {
            // Another version wrote here: never fall back to the other copy.
            [Err(Invalid::Newer), _] | [_, Err(Invalid::Newer)] => Err(Invalid::Newer),
            [Err(Invalid::Older), _] | [_, Err(Invalid::Older)] => Err(Invalid::Older),
            [Ok(a), Ok(b)] => Ok(usize::from(b.sequence > a.sequence)),
            [Ok(_), Err(_)] => Ok(0),
            [Err(_), Ok(_)] => Ok(1),
            [Err(Invalid::Damaged), Err(Invalid::Damaged)] => Err(Invalid::Damaged),
        }
    }

    /// Two records can have one sequence number, where two processes wrote at
    /// once; only the digest tells.
    fn are_equal(&self) -> bool {
        matches!(&self.whole, [Ok(a), Ok(b)] if a.stamp == b.stamp)
    }

    /// Tells a copy from every other one; `None` where it is not whole.
    fn stamp(&self, copy: usize) -> Option<Stamp> {
        self.whole[copy].as_ref().ok().map(|whole| whole.stamp)
    }

    /// For the next write. A copy that is not whole may have had the next
    /// number already.
    fn next_sequence(&self) -> u64 {
        let step = u64::from(self.whole.iter().any(Result::is_err)) + 1;
        let sequences = self.whole.iter().flatten().map(|whole| whole.sequence);
        sequences.max().map_or(1, |last| last.saturating_add(step))
    }
}

fn write_copy(
    device: &mut dyn BlockDevice,
    region: Region,
    copy: usize,
    buffer: &[u8],
) -> Result<(), VaultError> {
    let blocks = first_block(region, copy)..;
    for (block, bytes) in blocks.zip(buffer.chunks_exact(BLOCK_SIZE)) {
        device.write_block(block, bytes)?;
    }
    device.flush()
}

/// The newest whole copy; `None` where neither is.
fn newest_of(copies: &Copies) -> Result<Option<usize>, VaultError> {
    match copies.newest() {
        Ok(copy) => Ok(Some(copy)),
        Err(Invalid::Damaged) => Ok(None),
        Err(Invalid::Newer) => Err(VaultError::Newer),
        Err(Invalid::Older) => Err(VaultError::Older),
    }
}

/// The payload of the newest whole copy, or `None` where neither copy is whole.
///
/// # Errors
/// [`VaultError::Device`] when the disk does not answer; [`VaultError::Newer`],
/// [`VaultError::Older`] when another version of stayput wrote the record.
pub fn read(
    device: &dyn BlockDevice,
    region: Region,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let copies = Copies::read(device, region);
    let Some(copy) = newest_of(&copies)? else {
        return copies.unread.map_or(Ok(None), Err);
    };
    let record = record::decode(region, &copies.buffers[copy]).map_err(|_| VaultError::Damaged)?;
    Ok(Some(Zeroizing::new(record.payload.to_vec())))
}

/// Puts `payload` in both copies, the older one first.
///
/// # Errors
/// [`VaultError::Device`] when the disk takes neither; then at least one copy
/// is as it was. [`VaultError::Newer`], [`VaultError::Older`] when another
/// version of stayput wrote the record: it is left as it is.
pub fn write(
    device: &mut dyn BlockDevice,
    region: Region,
    payload: &[u8],
) -> Result<Written, VaultError> {
    write_copies(device, region, payload, Meanwhile::Goes)
}

/// As [`write`], of a record that somebody writes who waits for no lock, by
/// [`write_without_waiting`]. `seen` is what [`stamp`] said before the record was read.
///
/// # Errors
/// As [`write`]; [`VaultError::Changed`] when he has written since, or in this moment: his
/// stays.
pub fn write_unless_changed(
    device: &mut dyn BlockDevice,
    region: Region,
    payload: &[u8],
    seen: Option<Stamp>,
) -> Result<Written, VaultError> {
    write_copies(device, region, payload, Meanwhile::Stays { seen })
}

/// As [`write`], without the lock: what is written in the same moment by somebody who has it
/// is older than this.
///
/// # Errors
/// As [`write`].
pub fn write_without_waiting(
    device: &mut dyn BlockDevice,
    region: Region,
    payload: &[u8],
) -> Result<Written, VaultError> {
    let written = write_copies(device, region, payload, Meanwhile::Loses)?;
    // Each of his writes may have come behind the one of the same copy here.
    match read(device, region) {
        Ok(Some(now)) if *now != payload => write_copies(device, region, payload, Meanwhile::Loses),
        _ => Ok(written),
    }
}

/// What becomes of a record that somebody else writes between the look at both copies and the
/// last block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Stays { seen: Option<Stamp> },
    Goes,
    Loses,
}

fn write_copies(
    device: &mut dyn BlockDevice,
    region: Region,
    payload: &[u8],
    meanwhile: Meanwhile,
) -> Result<Written, VaultError> {
    let copies = Copies::read(device, region);
    let newest = newest_of(&copies)?;
    if let Meanwhile::Stays { seen } = meanwhile
        && newest.and_then(|copy| copies.stamp(copy)) != seen
    {
        return Err(VaultError::Changed);
    }
    let sequence = match meanwhile {
        Meanwhile::Loses => copies.next_sequence().saturating_add(1),
        _ => copies.next_sequence(),
    };
    let blocks = record::blocks_for(payload.len());
    let mut buffer = Zeroizing::new(vec![0; blocks as usize * BLOCK_SIZE]);
    record::encode(region, sequence, payload, &mut buffer);
    let older = newest.map_or(0, |copy| 1 - copy);
    let first = write_copy(device, region, older, &buffer);
    if let Meanwhile::Stays { .. } = meanwhile {
        let now = Copies::read(device, region);
        // Neither ours, nor what the disk has kept of before.
        let is_his = now.stamp(older).is_some() && now.stamp(older) != copies.stamp(older);
        if is_his && now.buffers[older] != buffer {
            return Err(VaultError::Changed);
        }
        // One that the disk does not give is not his.
        let is_read = !now.buffers[1 - older].is_empty();
        if is_read && now.stamp(1 - older) != copies.stamp(1 - older) {
            // Both are his again. A cut before that leaves his as well, which is the newer one;
            // where he has not finished it, he is at work.
            if now.stamp(1 - older).is_some() {
                let _ = write_copy(device, region, older, &now.buffers[1 - older]);
            }
            return Err(VaultError::Changed);
        }
    }
    match [first, write_copy(device, region, 1 - older, &buffer)] {
        [Ok(()), Ok(())] => Ok(Written::Twice),
        [Ok(()), Err(_)] | [Err(_), Ok(())] => Ok(Written::Once),
        [Err(error), Err(_)] => Err(error),
    }
}

/// Tells the newest whole copy from every other write; `None` where there is
/// none.
pub fn stamp(device: &dyn BlockDevice, region: Region) -> Option<Stamp> {
    let copies = Copies::read(device, region);
    copies.stamp(copies.newest().ok()?)
}

/// Whether only one copy is whole, or is the newer one: [`repair`] would mend
/// that.
pub fn is_degraded(device: &dyn BlockDevice, region: Region) -> bool {
    let copies = Copies::read(device, region);
    copies.newest().is_ok() && !copies.are_equal()
}

/// Makes the copies equal again after a power cut, so that what the older one
/// holds cannot come back. Writes nothing where they are.
///
/// # Errors
/// [`VaultError::Device`] when the disk does not take it.
pub fn repair(device: &mut dyn BlockDevice, region: Region) -> Result<(), VaultError> {
    let copies = Copies::read(device, region);
    match copies.newest() {
        Ok(newest) if !copies.are_equal() => {
            write_copy(device, region, 1 - newest, &copies.buffers[newest])
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::POLICY;
    use super::super::tests::{FailingDevice, Fails, MemoryDevice};
    use super::*;

    /// What a write of `payload` with this sequence number leaves in a copy.
    fn put(device: &mut MemoryDevice, copy: usize, sequence: u64, payload: &[u8]) {
        let mut buffer = vec![0; BLOCK_SIZE];
        record::encode(POLICY, sequence, payload, &mut buffer);
        write_copy(device, POLICY, copy, &buffer).unwrap();
    }

    #[test]
    fn two_records_of_one_sequence_number_are_made_equal() {
        let mut device = MemoryDevice::default();
        put(&mut device, 0, 7, b"one");
        put(&mut device, 1, 7, b"two");
        assert!(is_degraded(&device, POLICY));
        let before = read(&device, POLICY).unwrap().unwrap().to_vec();
        assert_eq!(before, b"one", "the first of two");
        repair(&mut device, POLICY).unwrap();
        assert!(!is_degraded(&device, POLICY));
        assert_eq!(*read(&device, POLICY).unwrap().unwrap(), before);
        // Whichever block is lost then, the same is read.
        device.damage(POLICY.start);
        assert_eq!(*read(&device, POLICY).unwrap().unwrap(), before);
    }

    #[test]
    fn copy_b_stands_half_a_vault_behind_copy_a() {
        assert_eq!([0, 1].map(|copy| first_block(POLICY, copy)), [2, 122]);
    }

    #[test]
    fn a_disk_that_reads_neither_copy_is_not_called_empty() {
        let (a, b) = (first_block(POLICY, 0), first_block(POLICY, 1));
        let mut disk = MemoryDevice::default();
        put(&mut disk, 0, 1, b"there");
        put(&mut disk, 1, 1, b"there");
        let read_without = |bad: &[u32]| {
            let device = FailingDevice {
                disk: disk.clone(),
                bad: bad.to_vec(),
                fails: Fails::Reading,
            };
            read(&device, POLICY).map(|payload| payload.map(|bytes| bytes.to_vec()))
        };
        assert_eq!(read_without(&[a]), Ok(Some(b"there".to_vec())));
        assert_eq!(read_without(&[b]), Ok(Some(b"there".to_vec())));
        let silent = VaultError::Device(libc::EIO);
        assert_eq!(read_without(&[a, b]), Err(silent));
    }

    #[test]
    fn a_copy_of_another_version_is_left_alone() {
        use record::FORMAT_VERSION;
        for (version, error) in [
            (FORMAT_VERSION + 1, VaultError::Newer),
            (FORMAT_VERSION - 1, VaultError::Older),
        ] {
            for copy in [0, 1] {
                let mut device = MemoryDevice::default();
                put(&mut device, 1 - copy, 9, b"of this version");
                let mut buffer = vec![0; BLOCK_SIZE];
                record::encode(POLICY, 8, b"of another", &mut buffer);
                record::set_version(&mut buffer, version);
                write_copy(&mut device, POLICY, copy, &buffer).unwrap();
                let before = device.bytes.clone();
                assert_eq!(read(&device, POLICY).err(), Some(error));
                assert_eq!(write(&mut device, POLICY, b"new").err(), Some(error));
                repair(&mut device, POLICY).unwrap();
                assert!(device.bytes == before, "{error:?}, copy {copy}");
            }
        }
    }

    #[test]
    fn a_lost_copy_never_outranks_the_next_write() {
        for copy in [0, 1] {
            let mut device = MemoryDevice::default();
            put(&mut device, 1 - copy, 7, b"old");
            put(&mut device, copy, 8, b"lost");
            let lost = device.clone();
            let at = first_block(POLICY, copy);
            device.damage(at);
            write(&mut device, POLICY, b"new").unwrap();
            // The lost copy is read again, and the write did not reach it.
            let mut block = [0; BLOCK_SIZE];
            lost.read_block(at, &mut block).unwrap();
            device.write_block(at, &block).unwrap();
            assert_eq!(&read(&device, POLICY).unwrap().unwrap()[..], b"new");
        }
    }
}
