//! The two-copy store: every record stands twice, the newest whole copy wins.
//!
//! A write replaces the older copy first and the newer one only when that is
//! on the disk, so a power cut at any point leaves the old record or the new.

use zeroize::Zeroizing;

use super::layout::{BLOCK_SIZE, HALF, Region};
use super::record::{self, Invalid};
use super::{BlockDevice, VaultError};

/// What the two copies of a region hold.
struct Copies {
    buffers: [Zeroizing<Vec<u8>>; 2],
    sequences: [Result<u64, Invalid>; 2],
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
    /// damaged as long as the other one can.
    fn read(device: &dyn BlockDevice, region: Region) -> Result<Self, VaultError> {
        let buffers = match [0, 1].map(|copy| read_copy(device, region, copy)) {
            [Err(error), Err(_)] => return Err(error),
            copies => copies.map(Result::unwrap_or_default),
        };
        let sequences = [&buffers[0], &buffers[1]]
            .map(|buffer| record::decode(region, buffer).map(|record| record.sequence));
        Ok(Self { buffers, sequences })
    }

    /// Index of the newest whole copy.
    fn newest(&self) -> Result<usize, Invalid> {
        match self.sequences {
            // A newer version wrote here: never fall back to an older copy.
            [Err(Invalid::Newer), _] | [_, Err(Invalid::Newer)] => Err(Invalid::Newer),
            [Ok(a), Ok(b)] => Ok(usize::from(b > a)),
            [Ok(_), Err(_)] => Ok(0),
            [Err(_), Ok(_)] => Ok(1),
            [Err(reason), Err(_)] => Err(reason),
        }
    }

    fn equal(&self) -> bool {
        self.sequences[0].is_ok() && self.sequences[0] == self.sequences[1]
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

/// The payload of the newest whole copy, or `None` where neither copy is whole.
///
/// # Errors
/// [`VaultError::Device`] when the disk does not answer, [`VaultError::Newer`]
/// when a newer version of stayput wrote the record.
pub fn read(
    device: &dyn BlockDevice,
    region: Region,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let copies = Copies::read(device, region)?;
    let copy = match copies.newest() {
        Ok(copy) => copy,
        Err(Invalid::Newer) => return Err(VaultError::Newer),
        Err(Invalid::Damaged) => return Ok(None),
    };
    let record = record::decode(region, &copies.buffers[copy]).map_err(|_| VaultError::Damaged)?;
    Ok(Some(Zeroizing::new(record.payload.to_vec())))
}

/// Puts `payload` in both copies, the older one first.
///
/// # Errors
/// [`VaultError::Device`] when the disk does not take it; then at least one
/// copy is whole, old or new. [`VaultError::Newer`] when a newer version of
/// stayput wrote the record: it is left as it is.
pub fn write(
    device: &mut dyn BlockDevice,
    region: Region,
    payload: &[u8],
) -> Result<(), VaultError> {
    let copies = Copies::read(device, region)?;
    let newest = match copies.newest() {
        Ok(copy) => Some(copy),
        Err(Invalid::Damaged) => None,
        Err(Invalid::Newer) => return Err(VaultError::Newer),
    };
    let sequence = newest
        .and_then(|copy| copies.sequences[copy].ok())
        .map_or(1, |sequence| sequence.saturating_add(1));
    let blocks = record::blocks_for(payload.len());
    let mut buffer = Zeroizing::new(vec![0; blocks as usize * BLOCK_SIZE]);
    record::encode(region, sequence, payload, &mut buffer);
    let older = newest.map_or(0, |copy| 1 - copy);
    write_copy(device, region, older, &buffer)?;
    write_copy(device, region, 1 - older, &buffer)
}

/// Whether only one copy is whole, or is the newer one: [`repair`] would mend
/// that.
///
/// # Errors
/// [`VaultError::Device`].
pub fn is_degraded(device: &dyn BlockDevice, region: Region) -> Result<bool, VaultError> {
    let copies = Copies::read(device, region)?;
    Ok(copies.newest().is_ok() && !copies.equal())
}

/// Makes the copies equal again after a power cut, so that what the older one
/// holds cannot come back. Writes nothing where they are.
///
/// # Errors
/// [`VaultError::Device`].
pub fn repair(device: &mut dyn BlockDevice, region: Region) -> Result<bool, VaultError> {
    let copies = Copies::read(device, region)?;
    let Ok(newest) = copies.newest() else {
        return Ok(false);
    };
    if copies.equal() {
        return Ok(false);
    }
    write_copy(device, region, 1 - newest, &copies.buffers[newest])?;
    Ok(true)
}
