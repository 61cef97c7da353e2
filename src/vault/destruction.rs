//! Destroys the pepper and the slots, so that no slot opens any more.
//!
//! The caller writes the theft state *reset begun* before, and *reset*
//! afterwards. After an interruption it is done again from the start.

use zeroize::Zeroizing;

use super::layout::{Area, BLOCK_SIZE, HALF, PEPPER_BLOCKS};
use super::{BlockDevice, Discarded, VaultError};
use crate::keys::fill_random;

/// How thoroughly the pepper and the slots were destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// Blocks of 4096 bytes that could not be overwritten or were not read back
    /// as written: they may still hold the old content.
    pub failed: u32,
    /// How the disk discarded the blocks, besides being overwritten.
    pub discarded: Discarded,
}

const AREAS: [Area; 2] = [Area::First, Area::Second];

/// Overwrites both pepper areas, reads them back, discards them, overwrites
/// them again, then overwrites the slots. Calls `verified` when nothing of the
/// pepper can be read any more.
///
/// A block that fails does not stop the others: failures are counted.
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
    // After a discard a device may return anything, even the old content.
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

/// Overwrites blocks with random bytes, flushes and reads them back; returns
/// how many are not as they were written.
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
