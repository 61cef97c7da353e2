//! What the vault asks of a disk.

use super::VaultError;
use super::layout::BLOCK_SIZE;

/// What the vault is kept on: [`super::VAULT_BLOCKS`] blocks of [`BLOCK_SIZE`] bytes.
pub trait BlockDevice {
    /// Reads what the device has, not what the system remembers of it: past
    /// the page cache.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError>;

    /// Reads neighbouring blocks from `start` on; in one go where the device
    /// can, which a disk answers many times faster. After an error `into` may
    /// hold any of them.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn read_blocks(&self, start: u32, into: &mut [u8]) -> Result<(), VaultError> {
        (start..)
            .zip(into.chunks_exact_mut(BLOCK_SIZE))
            .try_for_each(|(block, into)| self.read_block(block, into))
    }

    /// Returns when the device says that it has the block.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError>;

    /// Writes neighbouring blocks from `start` on; in one go where the device
    /// can, which a disk answers many times faster. After an error any of them
    /// may be old or new.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn write_blocks(&mut self, start: u32, bytes: &[u8]) -> Result<(), VaultError> {
        (start..)
            .zip(bytes.chunks_exact(BLOCK_SIZE))
            .try_for_each(|(block, bytes)| self.write_block(block, bytes))
    }

    /// Returns when what was written would survive a power cut.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    fn flush(&mut self) -> Result<(), VaultError>;

    /// Lets the device forget these blocks, as thoroughly as it can. They may
    /// hold anything afterwards.
    fn discard(&mut self, start: u32, blocks: u32) -> Discarded;
}

/// How a device forgot blocks, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Discarded {
    /// It did not: it cannot, or the vault is a file.
    No,
    /// It may reuse them; copies of its own making may stay.
    Plainly,
    /// It says that every copy is erased.
    Securely,
}
