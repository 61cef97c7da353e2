//! The partitions of this machine's disks and their ids, read without blkid.
//! udev, where it runs, only saves the search.

use core::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::BLOCK_SIZE;
use super::gpt::{self, Gpt};
use super::vault_conf::PartitionId;
use crate::sys::block::DirectFile;
use crate::sys::sysfs;

/// GPT name of a partition that is a vault.
pub const PARTITION_NAME: &str = "stayput";

/// Where the kernel lists its disks and partitions.
const CLASS: &str = "/sys/class/block";

/// A partition with its id.
#[derive(Clone, Debug)]
pub struct FoundPartition {
    /// Its device file in /dev.
    pub device: PathBuf,
    /// The kernel's name of its disk.
    pub disk: sysfs::Name,
    /// Its PARTUUID.
    pub id: PartitionId,
}

/// All partitions of all disks, with their ids. A disk's table is read when its
/// first partition is asked for, and disks on USB come last: a stick that hangs
/// holds up nobody who finds what he looks for before.
pub fn partitions() -> impl Iterator<Item = FoundPartition> {
    partitions_where(|_| true)
}

/// As [`partitions`], and for each disk whose table cannot be read why that is.
pub fn partitions_and_faults() -> impl Iterator<Item = Result<FoundPartition, Errno>> {
    look_at(|_| true)
}

/// The partitions of one disk.
pub fn partitions_of(disk: &str) -> Vec<FoundPartition> {
    partitions_where(|found| found == disk).collect()
}

/// The partition with this id according to udev; `None` where udev does not
/// know it (yet). udev may be wrong, and knows only one of several partitions
/// with the same id.
pub fn named_by_udev(id: &PartitionId) -> Option<FoundPartition> {
    let link = std::fs::read_link(Path::new("/dev/disk/by-partuuid").join(id.as_str())).ok()?;
    let name = link.file_name()?.to_str()?;
    Some(FoundPartition {
        device: Path::new("/dev").join(name),
        disk: parent_disk(name)?,
        id: id.clone(),
    })
}

fn partitions_where(is_wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = FoundPartition> {
    look_at(is_wanted).flatten()
}

fn look_at(
    is_wanted: impl Fn(&str) -> bool,
) -> impl Iterator<Item = Result<FoundPartition, Errno>> {
    let mut table_of_disk = None;
    let wanted = numbered()
        .into_iter()
        .filter(move |(disk, ..)| is_wanted(disk));
    // Sorted by disk, so that each table is read once.
    wanted.filter_map(move |(disk, name, number)| {
        if table_of_disk.as_ref().is_none_or(|(of, _)| *of != disk) {
            let table = read_table(&disk);
            let fault = table.as_ref().err().copied();
            table_of_disk = Some((disk.clone(), table.ok().flatten()));
            if let Some(fault) = fault {
                return Some(Err(fault));
            }
        }
        let table = table_of_disk.as_ref().and_then(|(_, table)| table.as_ref());
        let id = table?.id(number)?;
        let device = Path::new("/dev").join(name.as_str());
        Some(Ok(FoundPartition { device, disk, id }))
    })
}

/// The disk, name and number of each partition, sorted by disk and number, disks
/// on USB last.
fn numbered() -> Vec<(sysfs::Name, sysfs::Name, u32)> {
    let mut all: Vec<_> = sysfs::list(CLASS.as_ref())
        .into_iter()
        .filter_map(|name| {
            let number = sysfs::read_text::<8>(&Path::new(CLASS).join(&*name).join("partition"))?;
            Some((parent_disk(&name)?, name, number.parse().ok()?))
        })
        .collect();
    all.sort_by_cached_key(|(disk, _, number)| (is_on_usb(disk), disk.clone(), *number));
    all
}

fn is_on_usb(disk: &str) -> bool {
    let directory = std::fs::read_link(Path::new(CLASS).join(disk));
    directory.is_ok_and(|directory| sysfs::is_on_usb(&directory))
}

/// The disk that a partition is on.
fn parent_disk(partition: &str) -> Option<sysfs::Name> {
    let target = std::fs::read_link(Path::new(CLASS).join(partition)).ok()?;
    target.parent()?.file_name()?.to_str()?.try_into().ok()
}

impl FoundPartition {
    /// Whether its disk is on USB: it may be anybody's.
    pub fn is_on_usb(&self) -> bool {
        is_on_usb(&self.disk)
    }

    /// Whether its GPT name is the one of a vault, as the kernel tells it.
    #[cfg(feature = "admin")]
    pub fn has_vaults_name(&self) -> bool {
        let name = self.device.file_name().unwrap_or_default();
        let path = Path::new(CLASS).join(name).join("uevent");
        let told = sysfs::read_text::<1024>(&path).unwrap_or_default();
        let mut names = told.lines().map(|line| line.strip_prefix("PARTNAME="));
        names.any(|name| name == Some(PARTITION_NAME))
    }
}

/// A disk's partition table, as far as the ids need it.
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

/// The table of a disk; `None` where it has none that is whole.
fn read_table(disk: &str) -> Result<Option<Table>, Errno> {
    let file = DirectFile::open(&Path::new("/dev").join(disk), false);
    let file = file.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    // The header, and the entries, which every tool puts right behind it.
    let mut start = vec![0; 8 * BLOCK_SIZE];
    let sector = sector_size(disk) as usize;
    if file.read_many(0, &mut start).is_err() {
        // Only the header and 128 entries: the unreadable block may belong to
        // the vault behind them.
        start.truncate((2 * sector + gpt::ENTRIES_BYTES).next_multiple_of(BLOCK_SIZE));
        file.read_many(0, &mut start)?;
    }
    Ok(parse_table(&start, sector))
}

fn parse_table(start: &[u8], sector: usize) -> Option<Table> {
    if let Ok(at) = gpt::entries_at(&start[sector..2 * sector]) {
        let from = usize::try_from(at.sector).ok()?.checked_mul(sector)?;
        let entries = start.get(from..)?;
        let gpt = Gpt::parse(&start[sector..2 * sector], entries).ok()?;
        return Some(Table::Gpt(Box::new(gpt)));
    }
    Some(Table::Mbr(Box::new(*start.first_chunk()?)))
}
