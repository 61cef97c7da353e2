//! Finding the vault on this machine's disks, without udev or blkid.

use core::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::gpt::{self, Gpt};
use super::place_file::{PartitionId, VaultPlace};
use super::read_ahead::ReadAhead;
use super::{BLOCK_SIZE, BlockDevice, Discarded, VAULT_BYTES, Vault, VaultError};
use crate::sys::block::{DirectFile, Forget};
use crate::sys::mount::{Access, mount_device, unmount};
use crate::sys::sysfs;

/// GPT name of a partition that is a vault.
pub const PARTITION_NAME: &str = "stayput";
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
            Self::Open(errno) => write!(f, "The vault cannot be opened (error {errno})."),
        }
    }
}

impl From<VaultError> for LocateError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

/// A partition as the kernel knows it.
#[derive(Clone, Debug)]
pub struct FoundPartition {
    /// `/dev/...`.
    pub device: PathBuf,
    /// The kernel's name of its disk.
    pub disk: sysfs::Name,
    pub id: PartitionId,
    /// GPT name, where the kernel says one.
    pub name: Option<heapless::String<63>>,
}

/// The vault on its partition or in its file; a mount that was made for it
/// ends when it is dropped.
pub struct VaultDisk {
    // Dropped first: an open file would keep the mount busy.
    file: DirectFile,
    _mounted: Option<Mounted>,
    disk: sysfs::Name,
    /// Of a disk that is only looked at.
    ahead: ReadAhead,
}

impl Vault<VaultDisk> {
    /// The kernel's name of the disk that it is on.
    pub fn disk(&self) -> &sysfs::Name {
        &self.device.disk
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
        match self.ahead.get(block, into.len()) {
            Some(bytes) => into.copy_from_slice(bytes),
            None => self.file.read(block.into(), into).map_err(device_error)?,
        }
        Ok(())
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
pub fn open(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    Ok(open_as_is(place)?.finish_interrupted()?)
}

/// The same, and what a power cut has interrupted stays as it is: for an entry
/// in the log, which has nothing to do with it.
///
/// # Errors
/// [`LocateError`].
pub fn open_as_is(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    find(place, Access::ReadWrite)
}

/// The same for reading only: nothing can be written.
///
/// # Errors
/// [`LocateError`].
pub fn look(place: &VaultPlace) -> Result<Vault<VaultDisk>, LocateError> {
    find(place, Access::ReadOnly)
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

/// The kernel's name of the disk that holds the vault.
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
        disk: partition.disk.clone(),
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

/// All partitions of all disks, with their ids.
pub fn partitions() -> Vec<FoundPartition> {
    partitions_where(|_| true)
}

/// The partitions of one disk.
pub fn partitions_of(disk: &str) -> Vec<FoundPartition> {
    partitions_where(|found| found == disk)
}

fn partitions_where(is_wanted: impl Fn(&str) -> bool) -> Vec<FoundPartition> {
    let mut table_of_disk = None;
    let mut found = Vec::new();
    // By disk: each table is read once.
    for (disk, name, number) in numbered() {
        if !is_wanted(&disk) {
            continue;
        }
        if table_of_disk.as_ref().is_none_or(|(of, _)| *of != disk) {
            table_of_disk = Some((disk.clone(), read_table(&disk)));
        }
        let table = table_of_disk.as_ref().and_then(|(_, table)| table.as_ref());
        if let Some(id) = table.and_then(|table| table.id(number)) {
            found.push(FoundPartition::new(disk, &name, id));
        }
    }
    found
}

/// Each partition's disk, name and number, sorted by these.
fn numbered() -> Vec<(sysfs::Name, sysfs::Name, u32)> {
    let class = Path::new("/sys/class/block");
    let disk_and_number = |name: &str| {
        let path = class.join(name);
        let number = sysfs::read_text::<8>(&path.join("partition"))?;
        let target = std::fs::read_link(&path).ok()?;
        let disk = target.parent()?.file_name()?.to_str()?;
        Some((disk.try_into().ok()?, number.parse().ok()?))
    };
    let mut all: Vec<_> = sysfs::list(class)
        .into_iter()
        .filter_map(|name| {
            let (disk, number) = disk_and_number(&name)?;
            Some((disk, name, number))
        })
        .collect();
    all.sort_unstable_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
    all
}

impl FoundPartition {
    fn new(disk: sysfs::Name, name: &str, id: PartitionId) -> Self {
        let path = Path::new("/sys/class/block").join(name).join("uevent");
        let uevent = sysfs::read_text::<1024>(&path).unwrap_or_default();
        let label = uevent
            .lines()
            .find_map(|line| line.strip_prefix("PARTNAME="));
        Self {
            device: Path::new("/dev").join(name),
            disk,
            id,
            name: label.and_then(|label| label.try_into().ok()),
        }
    }
}

/// A disk's partition table, as far as ids need it.
enum Table {
    Gpt(Box<Gpt>),
    Mbr(Box<[u8; 512]>),
}

impl Table {
    fn id(&self, number: u32) -> Option<PartitionId> {
        match self {
            Self::Gpt(gpt) => {
                let partition = gpt.partitions().find(|found| found.number == number)?;
                let mut id = PartitionId::new();
                fmt::write(&mut id, format_args!("{}", partition.guid)).ok()?;
                Some(id)
            }
            Self::Mbr(mbr) => gpt::mbr_partition_id(&mbr[..], number),
        }
    }
}

/// Bytes of a disk's logical block.
pub fn sector_size(disk: &str) -> u64 {
    let path = Path::new("/sys/block")
        .join(disk)
        .join("queue/logical_block_size");
    sysfs::read_text::<8>(&path)
        .and_then(|text| text.parse().ok())
        .filter(|size| matches!(size, 512 | 1024 | 2048 | 4096))
        .unwrap_or(512)
}

fn read_table(disk: &str) -> Option<Table> {
    let file = DirectFile::open(&Path::new("/dev").join(disk), false).ok()?;
    // The header, and the entries where every tool puts them, right behind it.
    let mut start = vec![0; 8 * BLOCK_SIZE];
    let sector = usize::try_from(sector_size(disk)).ok()?;
    if file.read_many(0, &mut start).is_err() {
        // The vault may begin right behind the usual 128 entries: a block that is
        // lost there is not the table's.
        start.truncate((2 * sector + 128 * 128).next_multiple_of(BLOCK_SIZE));
        file.read_many(0, &mut start).ok()?;
    }
    if let Ok(at) = gpt::entries_at(&start[sector..2 * sector]) {
        let from = usize::try_from(at.sector).ok()?.checked_mul(sector)?;
        let entries = start.get(from..)?;
        let gpt = Gpt::parse(&start[sector..2 * sector], entries).ok()?;
        return Some(Table::Gpt(Box::new(gpt)));
    }
    Some(Table::Mbr(Box::new(*start.first_chunk()?)))
}
