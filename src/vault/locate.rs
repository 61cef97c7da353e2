//! Finds and opens the vault on this machine's disks. udev is not needed.

use core::fmt;
use core::time::Duration;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use nix::errno::Errno;

use super::partitions::{FoundPartition, named_by_udev, partitions_and_faults};
use super::read_ahead::ReadAhead;
use super::vault_conf::VaultConf;
use super::{BlockDevice, Discarded, ResetTarget, VAULT_BYTES, Vault, VaultError};
use crate::filesystem::{Driver, MountError, Mounted, is_replay_due};
use crate::sys::block::{DirectFile, DiscardKind};
use crate::sys::mount::Access;
use crate::sys::sysfs;

/// How long a command waits for another one that is writing the vault.
pub const COMMAND_WAITS: Duration = Duration::from_secs(10);

/// How long a boot does: no command runs beside it.
pub const BOOT_WAITS: Duration = Duration::from_secs(1);

/// How long a reset does, which then goes on without the lock.
const RESET_WAITS: Duration = Duration::from_secs(1);

/// Why the vault could not be found or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocateError {
    /// No partition on any disk has the id that vault.conf names.
    NoPartition,
    /// The partition is there, but its vault cannot be read or written.
    Vault(VaultError),
    /// The partition holds the vault of another server.
    OtherServer,
    /// The partition or the file in it cannot be opened, with this errno.
    Open(i32),
    /// A disk must not be looked at, with this errno: whether the vault is there is
    /// not known.
    NotAllowed(i32),
    /// No partition has the id, and a disk that may have it cannot be read, with this
    /// errno.
    Unread(i32),
    /// The kernel has no driver for the filesystem that the vault is a file in.
    NoDriver(Driver),
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
            Self::NotAllowed(errno) => {
                let why = Errno::from_raw(*errno).desc();
                write!(f, "Looking at the disks is not allowed: {why}.")
            }
            Self::Unread(errno) => {
                let why = Errno::from_raw(*errno).desc();
                write!(
                    f,
                    "The disk with the vault was not found, and one disk cannot be read: {why}."
                )
            }
            Self::NoDriver(Driver { filesystem, module }) => write!(
                f,
                "The vault cannot be opened: this kernel has no driver for {} (module {module}).",
                filesystem.title()
            ),
        }
    }
}

impl From<MountError> for LocateError {
    fn from(error: MountError) -> Self {
        match error {
            MountError::NoDriver(driver) => Self::NoDriver(driver),
            MountError::Failed(errno @ (Errno::EACCES | Errno::EPERM)) => {
                Self::NotAllowed(errno as i32)
            }
            MountError::Failed(errno) => Self::Open(errno as i32),
            MountError::Format(_) => Self::Open(libc::EINVAL),
        }
    }
}

impl LocateError {
    /// Whether a disk is missing or does not answer; otherwise the disk was read,
    /// and what it holds cannot be used.
    pub fn is_of_the_disk(&self) -> bool {
        match self {
            Self::NoPartition | Self::Vault(VaultError::Device(_)) => true,
            Self::Open(errno) | Self::Unread(errno) => matches!(
                *errno,
                libc::EIO | libc::ENXIO | libc::ENODEV | libc::ENOMEDIUM | libc::ETIMEDOUT
            ),
            Self::Vault(_) | Self::OtherServer | Self::NotAllowed(_) | Self::NoDriver(_) => false,
        }
    }

    /// Whether there is nothing to be read as this server's vault: its disk does not
    /// answer, or holds no vault that is whole. Not where it may be whole, and this
    /// disk, kernel or version is the wrong one, or somebody uses it.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::NoPartition => true,
            Self::Vault(error) => matches!(
                error,
                VaultError::NotAVault
                    | VaultError::Damaged
                    | VaultError::Older
                    | VaultError::Device(_)
            ),
            // The file is gone, or its filesystem is damaged: ext4 says EUCLEAN, and
            // EBADMSG where a checksum is wrong.
            Self::Open(libc::ENOENT | libc::EINVAL | libc::EUCLEAN | libc::EBADMSG) => true,
            Self::Open(_) | Self::Unread(_) => self.is_of_the_disk(),
            Self::OtherServer | Self::NotAllowed(_) | Self::NoDriver(_) => false,
        }
    }

    /// The error to tell where several disks were looked at: what is wrong with the
    /// vault's partition, before what is wrong with a disk that it may be on.
    fn or_graver(self, other: Self) -> Self {
        let rank = |error| match error {
            Self::NoPartition => 0,
            Self::Unread(_) => 1,
            Self::NotAllowed(_) => 2,
            Self::Vault(_) | Self::OtherServer | Self::Open(_) | Self::NoDriver(_) => 3,
        };
        match rank(other) > rank(self) {
            true => other,
            false => self,
        }
    }
}

impl From<VaultError> for LocateError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

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

/// Finds the vault that `conf` names, opens it for reading and writing, and
/// finishes what a power cut has interrupted.
///
/// # Errors
/// [`LocateError`].
// Not inlined: it is called from many places and would be copied to each.
#[inline(never)]
pub fn open(conf: &VaultConf, waits: Duration) -> Result<Vault<VaultDisk>, LocateError> {
    let vault = open_unrepaired(conf, waits)?.finish_interrupted()?;
    if let Some(error) = vault.unfinished() {
        log::warn!("what was interrupted is not finished: {error}");
    }
    Ok(vault)
}

/// Finds the vault that `conf` names and opens it for reading and writing, but
/// does not finish what a power cut has interrupted. For writing to the log,
/// which is independent of that.
///
/// # Errors
/// [`LocateError`].
#[inline(never)]
pub fn open_unrepaired(conf: &VaultConf, waits: Duration) -> Result<Vault<VaultDisk>, LocateError> {
    find(conf, Access::ReadWrite, waits)
}

/// Finds what is left of the vault that `conf` names, to be reset: the header
/// may be lost, and nothing is mended first.
///
/// # Errors
/// [`LocateError`].
#[inline(never)]
pub fn reset_target(conf: &VaultConf) -> Result<ResetTarget<VaultDisk>, LocateError> {
    let mut headless = None;
    let mut wrong = LocateError::NoPartition;
    for partition in partitions_named(conf) {
        let disk = partition
            .and_then(|partition| open_space(conf, &partition, Access::ReadWrite, RESET_WAITS));
        let target = disk.and_then(|disk| Ok(ResetTarget::of(disk)?));
        match target {
            Ok(target) => match target.server_id() {
                Some(id) if id == conf.server_id => return Ok(target),
                Some(_) => wrong = LocateError::OtherServer,
                None => headless = headless.or(Some(target)),
            },
            Err(error) => wrong = wrong.or_graver(error),
        }
    }
    headless.ok_or(wrong)
}

/// Finds the vault that `conf` names and opens it for reading only.
///
/// # Errors
/// [`LocateError`].
#[inline(never)]
pub fn open_read_only(conf: &VaultConf) -> Result<Vault<VaultDisk>, LocateError> {
    find(conf, Access::ReadOnly, COMMAND_WAITS)
}

/// Opens the vault for reading only. Looks first on the partition `at`, where
/// it was found before, so that the partition tables need not be read again.
///
/// # Errors
/// [`LocateError`].
pub fn reopen_read_only(
    conf: &VaultConf,
    at: &FoundPartition,
) -> Result<Vault<VaultDisk>, LocateError> {
    open_at(conf, at, Access::ReadOnly, COMMAND_WAITS).or_else(|_| open_read_only(conf))
}

/// Finishes what a power cut has interrupted, and opens the vault for reading
/// only. The disk is opened for writing only where there is something to
/// finish, because udev reads a disk again each time that a writer closes it.
///
/// # Errors
/// [`LocateError`].
pub fn repair_and_open_read_only(
    conf: &VaultConf,
    waits: Duration,
) -> Result<Vault<VaultDisk>, LocateError> {
    let vault = open_read_only(conf)?;
    if !vault.is_interrupted() {
        return Ok(vault);
    }
    drop(vault);
    if let Err(error) = open(conf, waits) {
        // A disk that takes no more writes can still be read; and no slot is read
        // beside a reset that has begun.
        log::warn!("what was interrupted is not finished: {error}");
    }
    open_read_only(conf)
}

fn find(
    conf: &VaultConf,
    access: Access,
    waits: Duration,
) -> Result<Vault<VaultDisk>, LocateError> {
    // Usually udev knows the partition, and no partition table has to be read.
    if let Some(partition) = named_by_udev(&conf.partition)
        && let Ok(vault) = open_at(conf, &partition, access, waits)
    {
        return Ok(vault);
    }
    // A copied disk has a partition with the same id: an error on one of them
    // must not hide the vault on the other.
    let mut wrong = LocateError::NoPartition;
    for partition in partitions_named(conf) {
        match partition.and_then(|partition| open_at(conf, &partition, access, waits)) {
            Ok(vault) => return Ok(vault),
            Err(error) => wrong = wrong.or_graver(error),
        }
    }
    Err(wrong)
}

fn open_at(
    conf: &VaultConf,
    partition: &FoundPartition,
    access: Access,
    waits: Duration,
) -> Result<Vault<VaultDisk>, LocateError> {
    let opened = open_as_it_is(conf, partition, access, waits);
    let device = &partition.device;
    let is_unreplayed = || conf.file.is_some() && is_replay_due(device);
    if opened.is_ok() || access == Access::ReadWrite || !is_unreplayed() {
        return opened;
    }
    // The file was made, and the power went before its place was more than a line
    // in the journal.
    log::info!("the vault is not seen before its filesystem's journal is replayed");
    drop(mounted_for_writing(device, waits)?);
    open_as_it_is(conf, partition, access, waits)
}

fn open_as_it_is(
    conf: &VaultConf,
    partition: &FoundPartition,
    access: Access,
    waits: Duration,
) -> Result<Vault<VaultDisk>, LocateError> {
    let vault = Vault::open_unrepaired(open_space(conf, partition, access, waits)?)?;
    // Another server's vault must not be written, not even to repair it.
    match vault.header().server_id == conf.server_id {
        true => Ok(vault),
        false => Err(LocateError::OtherServer),
    }
}

/// The partitions with the id that `conf` names, and why a disk was not looked at that
/// may have one.
fn partitions_named(conf: &VaultConf) -> impl Iterator<Item = Result<FoundPartition, LocateError>> {
    let id = conf.partition.clone();
    let found = partitions_and_faults();
    found.filter_map(move |found| match found {
        Ok(found) => (found.id == id).then_some(Ok(found)),
        Err(errno @ (Errno::EACCES | Errno::EPERM)) => {
            Some(Err(LocateError::NotAllowed(errno as i32)))
        }
        // It was taken out, or comes just now.
        Err(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV | Errno::ENOMEDIUM) => None,
        Err(errno) => Some(Err(LocateError::Unread(errno as i32))),
    })
}

/// The kernel's name of the disk with the partition that `conf` names, whether
/// or not the vault on it can be opened. An open vault knows its disk:
/// [`Vault::disk`].
pub fn disk_of(conf: &VaultConf) -> Option<sysfs::Name> {
    let mut found = partitions_named(conf).flatten();
    found.next().map(|found| found.disk)
}

/// Opens the disk space of the vault that `conf` names for reading and writing,
/// whatever it holds.
///
/// # Errors
/// [`LocateError::NoPartition`], [`LocateError::Open`]; [`VaultError::Damaged`]
/// where it is too short to be a vault.
pub fn open_disk(conf: &VaultConf) -> Result<VaultDisk, LocateError> {
    let mut wrong = LocateError::NoPartition;
    for partition in partitions_named(conf) {
        match partition {
            Ok(partition) => {
                return open_space(conf, &partition, Access::ReadWrite, COMMAND_WAITS);
            }
            Err(error) => wrong = wrong.or_graver(error),
        }
    }
    Err(wrong)
}

fn open_space(
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
        Access::ReadOnly => Mounted::begin(device, access)?,
        Access::ReadWrite => mounted_for_writing(device, waits)?,
    };
    let file = open_direct(&mounted.path().join(name), access)?;
    Ok((file, mounted))
}

/// Waits while somebody looks at it, which keeps the kernel from writing to it.
fn mounted_for_writing(device: &Path, waits: Duration) -> Result<Mounted, LocateError> {
    let until = Instant::now() + waits;
    loop {
        let error = match Mounted::begin(device, Access::ReadWrite) {
            Err(error) if Instant::now() < until => error,
            mounted => return Ok(mounted?),
        };
        // EROFS: who looks at it has not mounted it yet. EACCES: that has just ended.
        match error {
            MountError::Failed(Errno::EBUSY | Errno::EACCES | Errno::EROFS) => {}
            error => return Err(error.into()),
        }
        sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests;
