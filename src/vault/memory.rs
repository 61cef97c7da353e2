//! A block device in memory that records every write: for tests and fuzzing.

use super::layout::{BLOCK_SIZE, VAULT_BLOCKS};
use super::{BlockDevice, VaultError};

#[derive(Clone)]
pub struct MemoryDevice {
    pub bytes: Vec<u8>,
    /// Every write since the start, in order: block number and content.
    pub writes: Vec<(u32, Vec<u8>)>,
}

impl Default for MemoryDevice {
    fn default() -> Self {
        Self {
            bytes: vec![0; VAULT_BLOCKS as usize * BLOCK_SIZE],
            writes: Vec::new(),
        }
    }
}

fn range(block: u32) -> core::ops::Range<usize> {
    let start = block as usize * BLOCK_SIZE;
    start..start + BLOCK_SIZE
}

impl MemoryDevice {
    /// A device that starts with these bytes.
    #[cfg(feature = "fuzzing")]
    pub fn holding(bytes: &[u8]) -> Self {
        let mut device = Self::default();
        let length = bytes.len().min(device.bytes.len());
        device.bytes[..length].copy_from_slice(&bytes[..length]);
        device
    }

    #[cfg(test)]
    pub fn damage(&mut self, block: u32) {
        self.bytes[range(block)][100] ^= 0xff;
    }

    #[cfg(test)]
    /// The device as a power cut leaves it: `before`, then the first `whole`
    /// of the recorded writes, then `torn` bytes of the next one.
    pub fn cut(before: &Self, writes: &[(u32, Vec<u8>)], whole: usize, torn: usize) -> Self {
        let mut device = before.clone();
        device.writes.clear();
        for (block, bytes) in &writes[..whole] {
            device.bytes[range(*block)].copy_from_slice(bytes);
        }
        if let Some((block, bytes)) = writes.get(whole) {
            device.bytes[range(*block)][..torn].copy_from_slice(&bytes[..torn]);
        }
        device
    }
}

impl BlockDevice for MemoryDevice {
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
        into.copy_from_slice(&self.bytes[range(block)]);
        Ok(())
    }

    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
        self.bytes[range(block)].copy_from_slice(bytes);
        self.writes.push((block, bytes.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}
