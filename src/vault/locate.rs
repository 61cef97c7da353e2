//! Finding the vault on this machine's disks, whatever udev knows of them.

use core::fmt;
use std::path::Path;

use nix::errno::Errno;

use super::partitions::{FoundPartition, named_by_udev, partitions};
use super::place_file::VaultPlace;
use super::read_ahead::ReadAhead;
use super::{BlockDevice, Discarded, VAULT_BYTES, Vault, VaultError};
use crate::sys::block::{DirectFile, Forget};
use crate::sys::mount::{Access, mount_device, unmount};
use crate::sys::sysfs;

/// Where a partition that holds the vault as a file is mounted meanwhile.
const MOUNT_POINT: &str = "/run/stayput-vault";

/// Why the vault could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocateError {
    /// No partition on any disk has the id that vault.conf names.
    NoPartition,
    /// The partition is there; what is in it is not what was expected.
    Vault(VaultError),
    /// The partition holds the vault of another server.
    OtherServer,
    /// The partition or the file in it cannot be opened; the system's errno.
    Open(i32),
}

impl fmt::Display for LocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPartition => f.write_str("The disk with the vault is not there."),
            Self::Vault(error) => error.fmt(f),
            Self::OtherServer => f.write_str("The vault on this disk belongs to another server."),
            Self::Open(errno) => {
                let why = Errno::from_raw(*errno).desc();
                write!(f, "The vault cannot be opened: {why}.")
            }
        }
    }
}

impl From<VaultError> for LocateError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

/// The vault on its partition or in its file; a mount that was made for it
/// ends when it is dropped.
pub struct VaultDisk {
    // Dropped first: an open file would keep the mount busy.
    file: DirectFile,
    _mounted: Option<Mounted>,
    partition: FoundPartition,
    /// Of a disk that is only looked at.
    ahead: ReadAhead,
}

impl Vault<VaultDisk> {
    /// The partition that it is on.
    pub fn partition(&self) -> &FoundPartition {
        &self.device.partition
    }

    /// The kernel's name of the disk that it is on.
    pub fn disk(&self) -> &sysfs::Name {
        &self.partition().disk
    }
}

struct Mounted;

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(Path::new(MOUNT_POINT));
        let _ = std::fs::remove_dir(MOUNT_POINT);
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
        if self.file.discard(start, blocks, Forget::EveryCopy).is_ok() {
            Discarded::Securely
        } else if self.file.discard(start, blocks, Forget::Content).is_ok() {
            Discarded::Plainly
        } else {
            Discarded::No
        }
    }
}

fn device_error(errno: Errno) -> VaultError {
    VaultError::Device(errno as i32)
}

/// Finds the vault that `place` names, opens it for reading and writing, and
/// finishes what a power cut has interrupted.
///
/// # Errors
/// [`LocateError`].
// Called from many places: a copy in each would make the boot stage larger.
#[inline(never)]
pub fn open(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    Ok(open_as_is(place)?.finish_interrupted()?)
}

/// Finds the vault that `place` names and opens it for reading and writing. What
/// a power cut has interrupted stays as it is: for an entry in the log, which has
/// nothing to do with it.
///
/// # Errors
/// [`LocateError`].
#[inline(never)]
pub fn open_as_is(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    find(place, Access::ReadWrite)
}

/// Finds the vault that `place` names and opens it for reading only: nothing can
/// be written.
///
/// # Errors
/// [`LocateError`].
#[inline(never)]
pub fn look(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    find(place, Access::ReadOnly)
}

/// Opens the vault for reading only, first where it was found before (`at`), so
/// that the partition tables need not be read again; elsewhere if it is not
/// there any more.
///
/// # Errors
/// [`LocateError`].
pub fn look_again(
    place: &VaultPlace,
    at: &FoundPartition,
) -> Result<Vault<VaultDisk>, LocateError> {
    open_this(place, at, Access::ReadOnly).or_else(|_| look(place))
}

/// For reading only, with everything finished. The disk is opened for writing
/// only if there is something to finish: udev reads a disk anew each time that
/// one who could write closes it.
///
/// # Errors
/// [`LocateError`].
pub fn look_at_finished(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    let vault = look(place)?;
    if !vault.is_interrupted()? {
        return Ok(vault);
    }
    // Where the vault is a file, its filesystem is mounted for one at a time.
    drop(vault);
    if let Err(error) = open(place) {
        // A disk that takes no more writes can still be read; and no slot is read
        // beside a reset that has begun.
        log::warn!("what was interrupted is not finished: {error}");
    }
    look(place)
}

fn find(place: &VaultPlace, access: Access) -> Result<Vault<VaultDisk>, LocateError> {
    // At nearly every boot: no disk's table has to be read.
    if let Some(partition) = named_by_udev(&place.partition)
        && let Ok(vault) = open_this(place, &partition, access)
    {
        return Ok(vault);
    }
    // A copied disk brings a second partition with the same id: what is wrong
    // with one of them must not hide the vault.
    let mut wrong = LocateError::NoPartition;
    for partition in named(place) {
        match open_this(place, &partition, access) {
            Ok(vault) => return Ok(vault),
            Err(error) if wrong == LocateError::NoPartition => wrong = error,
            Err(_) => {}
        }
    }
    Err(wrong)
}

fn open_this(
    place: &VaultPlace,
    partition: &FoundPartition,
    access: Access,
) -> Result<Vault<VaultDisk>, LocateError> {
    let vault = Vault::open_as_is(disk_space(place, partition, access)?)?;
    // Another server's vault is not written to, not even to mend it.
    match vault.header().server_id == place.server_id {
        true => Ok(vault),
        false => Err(LocateError::OtherServer),
    }
}

/// The partitions that have the vault's id.
fn named(place: &VaultPlace) -> impl Iterator<Item = FoundPartition> {
    let id = place.partition.clone();
    partitions().into_iter().filter(move |found| found.id == id)
}

/// The kernel's name of the disk that should hold the vault, whether or not one
/// can be opened there; an open one knows its disk ([`Vault::disk`]).
pub fn disk_of(place: &VaultPlace) -> Option<sysfs::Name> {
    named(place).next().map(|found| found.disk)
}

/// The disk space of the vault that `place` names, whatever is in it.
///
/// # Errors
/// [`LocateError::NoPartition`], [`LocateError::Open`]; [`VaultError::Damaged`]
/// where it is too short to be a vault.
pub fn open_disk(place: &VaultPlace) -> Result<VaultDisk, LocateError> {
    let partition = named(place).next().ok_or(LocateError::NoPartition)?;
    disk_space(place, &partition, Access::ReadWrite)
}

fn disk_space(
    place: &VaultPlace,
    partition: &FoundPartition,
    access: Access,
) -> Result<VaultDisk, LocateError> {
    let device = &partition.device;
    let (file, _mounted) = match &place.file {
        None => (open_direct(device, access)?, None),
        Some(name) => {
            let (file, mounted) = open_in_filesystem(device, name, access)?;
            (file, Some(mounted))
        }
    };
    let mut disk = VaultDisk {
        file,
        _mounted,
        partition: partition.clone(),
        ahead: ReadAhead::default(),
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
    LocateError::Open(error.raw_os_error().unwrap_or(0))
}

/// Mounts the partition for as long as the file is open.
fn open_in_filesystem(
    device: &Path,
    name: &str,
    access: Access,
) -> Result<(DirectFile, Mounted), LocateError> {
    let target = Path::new(MOUNT_POINT);
    std::fs::create_dir_all(target).map_err(open_error)?;
    let mount = |access| {
        let mount = |filesystem| mount_device(device, target, filesystem, access, "");
        mount("vfat").or_else(|_| mount("ext4"))
    };
    // One that is mounted for writing elsewhere cannot be mounted otherwise.
    mount(access)
        .or_else(|_| mount(Access::ReadWrite))
        .map_err(|errno| LocateError::Open(errno as i32))?;
    let mounted = Mounted;
    let file = open_direct(&target.join(name), access)?;
    Ok((file, mounted))
}
