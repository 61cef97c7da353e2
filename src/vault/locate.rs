//! Finds and opens the vault on this machine's disks. udev is not needed.

mod disk;
mod error;

use core::time::Duration;

use nix::errno::Errno;

use super::partitions::{FoundPartition, named_by_udev, partitions_and_faults};
use super::{ResetTarget, Vault, VaultConf};
use crate::filesystem::{Mounted, is_replay_due};
use crate::sys::mount::Access;
use crate::sys::sysfs;
use disk::open_space;

pub use disk::VaultDisk;
pub use error::LocateError;

/// How long a command waits for another one that is writing the vault.
pub const COMMAND_WAITS: Duration = Duration::from_secs(10);

/// How long a boot does: no command runs beside it.
pub const BOOT_WAITS: Duration = Duration::from_secs(1);

/// How long a reset does, which then goes on without the lock.
const RESET_WAITS: Duration = Duration::from_secs(1);

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
    // Where udev knows it, no other disk is read, which may hang. A stick with a copy takes
    // nobody's place.
    let known = named_by_udev(&conf.partition).filter(|found| !found.is_on_usb());
    let known = known.map(Ok);
    for partition in known.into_iter().chain(partitions_named(conf)) {
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

/// Opens the vault on this partition for reading only, of whichever server it is: on the
/// partition itself, or in the file that `conf` names. Another with the same id may be there.
///
/// # Errors
/// [`LocateError`].
#[cfg(feature = "admin")]
pub fn open_of_any_server(
    conf: &VaultConf,
    at: &FoundPartition,
) -> Result<Vault<VaultDisk>, LocateError> {
    let space = open_space(conf, at, Access::ReadOnly, COMMAND_WAITS)?;
    Ok(Vault::open_unrepaired(space)?)
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
    drop(Mounted::for_writing(device, waits)?);
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
