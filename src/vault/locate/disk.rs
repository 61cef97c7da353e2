//! The disk space of a vault, opened: a partition, or a file in one that is mounted for
//! as long.

use core::time::Duration;
use std::path::Path;

use nix::errno::Errno;

use super::LocateError;
use crate::filesystem::Mounted;
use crate::sys::block::{DirectFile, DiscardKind};
use crate::sys::mount::Access;
use crate::sys::sysfs;
use crate::vault::partitions::FoundPartition;
use crate::vault::read_ahead::ReadAhead;
use crate::vault::{BlockDevice, Discarded, VAULT_BYTES, Vault, VaultConf, VaultError};

/// The disk space of a vault: a partition, or a file in one. Dropping it
/// unmounts the partition.
pub struct VaultDisk {
    // Dropped first: an open file would keep the mount busy.
    file: DirectFile,
    _mounted: Option<Mounted>,
    partition: FoundPartition,
    /// The small records, where the disk is opened for reading only.
    ahead: ReadAhead,
    /// How long it waits for the lock.
    waits: Duration,
}

impl Vault<VaultDisk> {
    /// The partition that the vault is on.
    pub fn partition(&self) -> &FoundPartition {
        &self.device.partition
    }

    /// The kernel's name of the disk that the vault is on.
    pub fn disk(&self) -> &sysfs::Name {
        &self.partition().disk
    }
}

impl BlockDevice for VaultDisk {
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
        self.read_blocks(block, into)
    }

    fn read_blocks(&self, start: u32, into: &mut [u8]) -> Result<(), VaultError> {
        match self.ahead.get(start, into.len()) {
            Some(bytes) => into.copy_from_slice(bytes),
            None => {
                let read = self.file.read_many(start.into(), into);
                read.map_err(device_error)?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
        self.file.write(block.into(), bytes).map_err(device_error)
    }

    fn write_blocks(&mut self, start: u32, bytes: &[u8]) -> Result<(), VaultError> {
        self.file
            .write_many(start.into(), bytes)
            .map_err(device_error)
    }

    fn flush(&mut self) -> Result<(), VaultError> {
        self.file.flush().map_err(device_error)
    }

    fn discard(&mut self, start: u32, blocks: u32) -> Discarded {
        let (start, blocks) = (start.into(), blocks.into());
        if self
            .file
            .discard(start, blocks, DiscardKind::Secure)
            .is_ok()
        {
            Discarded::Securely
        } else if self.file.discard(start, blocks, DiscardKind::Plain).is_ok() {
            Discarded::Plainly
        } else {
            Discarded::No
        }
    }

    fn lock(&mut self) -> Result<(), VaultError> {
        self.file.lock(self.waits).map_err(|errno| match errno {
            Errno::EWOULDBLOCK => VaultError::Busy(self.file.lock_holder()),
            errno => device_error(errno),
        })
    }

    fn unlock(&mut self) {
        self.file.unlock();
    }
}

fn device_error(errno: Errno) -> VaultError {
    VaultError::Device(errno as i32)
}

/// Opens the disk space of the vault on this partition, whatever it holds.
///
/// # Errors
/// [`LocateError`]; [`VaultError::Damaged`] where it is too short to be a vault.
pub(super) fn open_space(
    conf: &VaultConf,
    partition: &FoundPartition,
    access: Access,
    waits: Duration,
) -> Result<VaultDisk, LocateError> {
    let device = &partition.device;
    let (file, _mounted) = match &conf.file {
        None => (open_direct(device, access)?, None),
        Some(name) => {
            let (file, mounted) = open_in_filesystem(device, name, access, waits)?;
            (file, Some(mounted))
        }
    };
    let mut disk = VaultDisk {
        file,
        _mounted,
        partition: partition.clone(),
        ahead: ReadAhead::default(),
        waits,
    };
    let length = disk.file.length().map_err(open_error)?;
    if length < VAULT_BYTES {
        return Err(VaultError::Damaged.into());
    }
    if access == Access::ReadOnly {
        disk.ahead = ReadAhead::of(&disk);
    }
    Ok(disk)
}

fn open_direct(path: &Path, access: Access) -> Result<DirectFile, LocateError> {
    DirectFile::open(path, access == Access::ReadWrite).map_err(open_error)
}

fn open_error(error: std::io::Error) -> LocateError {
    match error.raw_os_error() {
        Some(errno @ (libc::EACCES | libc::EPERM)) => LocateError::NotAllowed(errno),
        errno => LocateError::Open(errno.unwrap_or(0)),
    }
}

/// Mounts the partition and opens the file in it.
fn open_in_filesystem(
    device: &Path,
    name: &str,
    access: Access,
    waits: Duration,
) -> Result<(DirectFile, Mounted), LocateError> {
    let mounted = match access {
        Access::ReadOnly => Mounted::for_reading(device)?,
        Access::ReadWrite => Mounted::for_writing(device, waits)?,
    };
    let file = open_direct(&mounted.path().join(name), access)?;
    Ok((file, mounted))
}
