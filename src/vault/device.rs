//! The block device that a vault is kept on.

use serde::{Deserialize, Serialize};

use super::VaultError;
use super::layout::BLOCK_SIZE;

/// A device with [`super::VAULT_BLOCKS`] blocks of [`BLOCK_SIZE`] bytes.
pub trait BlockDevice {
    /// Reads a block from the device itself, past the page cache.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError>;

    /// Reads consecutive blocks from `start` on, with one request where the
    /// device can do that, which is many times faster. After an error `into`
    /// may hold some of them.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn read_blocks(&self, start: u32, into: &mut [u8]) -> Result<(), VaultError> {
        (start..)
            .zip(into.chunks_exact_mut(BLOCK_SIZE))
            .try_for_each(|(block, into)| self.read_block(block, into))
    }

    /// Writes a block; returns when the device says that it is stored.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError>;

    /// Writes consecutive blocks from `start` on, with one request where the
    /// device can do that, which is many times faster. After an error each of
    /// them may be old or new.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn write_blocks(&mut self, start: u32, bytes: &[u8]) -> Result<(), VaultError> {
        (start..)
            .zip(bytes.chunks_exact(BLOCK_SIZE))
            .try_for_each(|(block, bytes)| self.write_block(block, bytes))
    }

    /// Flushes the device's cache; returns when all writes would survive a
    /// power cut.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn flush(&mut self) -> Result<(), VaultError>;

    /// Discards blocks as thoroughly as the device can. They may hold anything
    /// afterwards.
    fn discard(&mut self, start: u32, blocks: u32) -> Discarded;

    /// Keeps other processes from writing the vault until
    /// [`BlockDevice::unlock`]. Waits for one that is writing, for a bounded
    /// time.
    ///
    /// # Errors
    /// [`VaultError::Busy`] when it still writes then, [`VaultError::Device`].
    fn lock(&mut self) -> Result<(), VaultError> {
        Ok(())
    }

    /// Lets others write again; does nothing where there is no lock.
    fn unlock(&mut self) {}
}

/// How thoroughly a device discarded blocks, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Discarded {
    /// Not at all: the device cannot, or the vault is a file.
    No,
    /// It may reuse the blocks; copies that it made itself may remain
    /// (BLKDISCARD).
    Plainly,
    /// It says that every copy is erased (BLKSECDISCARD).
    Securely,
}
