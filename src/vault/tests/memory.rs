//! A block device in memory that records what is done to it: for tests and
//! fuzzing.

use crate::vault::layout::{BLOCK_SIZE, VAULT_BLOCKS};
use crate::vault::{BlockDevice, Discarded, VaultError};
#[cfg(test)]
use crate::vault::{Policy, StickList, Vault, authenticated, layout, store};

/// What was done to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A block got this content. A discard is recorded as zeroes.
    Write(u32, Vec<u8>),
    /// Everything before is on the disk.
    Flush,
}

#[derive(Clone)]
pub struct MemoryDevice {
    pub bytes: Vec<u8>,
    /// Everything since the start, in order.
    pub steps: Vec<Step>,
}

impl Default for MemoryDevice {
    fn default() -> Self {
        Self {
            bytes: vec![0; VAULT_BLOCKS as usize * BLOCK_SIZE],
            steps: Vec::new(),
        }
    }
}

fn range(block: u32) -> core::ops::Range<usize> {
    let start = block as usize * BLOCK_SIZE;
    start..start + BLOCK_SIZE
}

impl MemoryDevice {
    /// A device that starts with these bytes.
    pub fn holding(bytes: &[u8]) -> Self {
        let mut device = Self::default();
        let length = bytes.len().min(device.bytes.len());
        device.bytes[..length].copy_from_slice(&bytes[..length]);
        device
    }

    #[cfg(test)]
    pub fn damage(&mut self, block: u32) {
        // In the digest of a record, and in a stripe of a pepper.
        self.bytes[range(block)][40] ^= 0xff;
    }

    /// The same disk, with nothing recorded yet.
    #[cfg(test)]
    pub fn fresh(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            steps: Vec::new(),
        }
    }

    /// Takes the first `bytes` of one recorded write over.
    #[cfg(test)]
    pub fn take(&mut self, step: &Step, bytes: usize) {
        if let Step::Write(block, content) = step {
            self.bytes[range(*block)][..bytes].copy_from_slice(&content[..bytes]);
        }
    }
}

impl BlockDevice for MemoryDevice {
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
        into.copy_from_slice(&self.bytes[range(block)]);
        Ok(())
    }

    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
        self.bytes[range(block)].copy_from_slice(bytes);
        self.steps.push(Step::Write(block, bytes.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), VaultError> {
        self.steps.push(Step::Flush);
        Ok(())
    }

    fn discard(&mut self, start: u32, blocks: u32) -> Discarded {
        for block in start..start + blocks {
            let _ = self.write_block(block, &[0; BLOCK_SIZE]);
        }
        Discarded::Plainly
    }
}

/// What a block that has failed does not do.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    Reading,
    Writing,
    Both,
}

#[cfg(test)]
impl Fails {
    pub const ALL: [Self; 3] = [Self::Reading, Self::Writing, Self::Both];
}

/// A disk with blocks that have failed.
#[cfg(test)]
pub struct FailingDevice {
    pub disk: MemoryDevice,
    pub bad: Vec<u32>,
    pub fails: Fails,
}

#[cfg(test)]
impl FailingDevice {
    fn answer(&self, block: u32, unless: Fails) -> Result<(), VaultError> {
        match self.bad.contains(&block) && self.fails != unless {
            true => Err(VaultError::Device(libc::EIO)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
impl BlockDevice for FailingDevice {
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
        self.answer(block, Fails::Writing)?;
        self.disk.read_block(block, into)
    }

    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
        self.answer(block, Fails::Reading)?;
        self.disk.write_block(block, bytes)
    }

    fn flush(&mut self) -> Result<(), VaultError> {
        self.disk.flush()
    }

    fn discard(&mut self, _: u32, _: u32) -> Discarded {
        Discarded::No
    }
}

#[cfg(test)]
impl Vault<MemoryDevice> {
    /// Writes a policy as somebody does who does not have the master key.
    pub fn claim_policy(&mut self, policy: &Policy) {
        let payload = authenticated::encode_unproven(policy);
        store::write(&mut self.device, layout::POLICY, &payload).unwrap();
    }

    /// Writes a list of sticks as somebody does who does not have the master key.
    pub fn claim_sticks(&mut self, list: &StickList) {
        let payload = authenticated::encode_unproven(list);
        store::write(&mut self.device, layout::STICKS, &payload).unwrap();
    }
}
