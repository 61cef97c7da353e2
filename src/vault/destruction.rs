//! Destroying the pepper, so that no slot opens, whatever else is known.
//!
//! Whoever calls this has written *reset begun* before, and writes *reset*
//! afterwards; done again from the start it does the same.

use zeroize::Zeroizing;

use super::layout::{Area, BLOCK_SIZE, HALF, PEPPER_BLOCKS};
use super::{BlockDevice, Discarded, VaultError};
use crate::keys::fill_random;

/// What became of the pepper and the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// Blocks of 4096 bytes that the disk did not take, or did not give back
    /// as they were written: there the old content may still be.
    pub failed: u32,
    /// What the disk was told to forget, beyond overwriting.
    pub discarded: Discarded,
}

const AREAS: [Area; 2] = [Area::First, Area::Second];

/// Overwrites both peppers, looks whether that holds, lets the disk forget
/// them, overwrites them again, then the slots. `verified` is called at the
/// moment when nothing of the pepper can be read any more.
///
/// A block that fails does not keep the others: they are counted.
pub fn destroy(device: &mut dyn BlockDevice, verified: &mut dyn FnMut()) -> Destroyed {
    let peppers = AREAS.map(|area| (area.pepper(), PEPPER_BLOCKS));
    let readable: u32 = peppers
        .into_iter()
        .map(|(start, blocks)| overwrite(device, start, blocks))
        .sum();
    if readable == 0 {
        verified();
    }
    let mut discarded = Discarded::Securely;
    for (start, blocks) in peppers {
        discarded = discarded.min(device.discard(start, blocks));
    }
    // What a discard leaves is the device's business: it may even give the
    // old content back.
    let mut failed = 0;
    for (start, blocks) in peppers {
        failed += overwrite(device, start, blocks);
    }
    for slots in AREAS.map(Area::slots) {
        for copy in [slots.start, slots.start + HALF] {
            failed += overwrite(device, copy, slots.blocks);
        }
    }
    Destroyed { failed, discarded }
}

/// Random bytes over these blocks, flushed and read back; how many blocks are
/// not as they were written.
fn overwrite(device: &mut dyn BlockDevice, start: u32, blocks: u32) -> u32 {
    let mut noise = vec![0; blocks as usize * BLOCK_SIZE];
    fill_random(&mut noise);
    if device.write_blocks(start, &noise).is_err() {
        for (block, bytes) in (start..).zip(noise.chunks_exact(BLOCK_SIZE)) {
            // Found below.
            let _ = device.write_block(block, bytes);
        }
    }
    if device.flush().is_err() {
        return blocks;
    }
    let mut found = Zeroizing::new(vec![0; BLOCK_SIZE]);
    let mut is_as_written = |block, bytes: &[u8]| -> Result<bool, VaultError> {
        device.read_block(block, &mut found)?;
        Ok(*found == *bytes)
    };
    (start..)
        .zip(noise.chunks_exact(BLOCK_SIZE))
        .filter(|(block, bytes)| is_as_written(*block, bytes) != Ok(true))
        .count()
        .try_into()
        .unwrap_or(blocks)
}
