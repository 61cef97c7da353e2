//! A new partition in the gap that GPT disks leave.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::keys::random_bytes;
use crate::sys::{file_lock, partition, sysfs};
use crate::vault::gpt::{self, ENTRIES_BYTES, Gpt, GptError, Guid};
use crate::vault::partitions::{PARTITION_NAME, partitions_of, sector_size};
use crate::vault::{BLOCK_SIZE, PartitionId, Traces, VAULT_BYTES};

/// Where the two partition tables are saved before they are changed.
const SAVED_TABLES: &str = "/etc/stayput/partition-tables.before";

/// How long another program may have the disk.
const LOCK_WAITS: Duration = Duration::from_secs(5);

/// A gap on a disk that takes the vault, and the disk's partition table.
pub struct Gap {
    disk: String,
    sector: u64,
    first: u64,
    table: Gpt,
}

impl Gap {
    /// The disk's name below /dev.
    pub fn disk(&self) -> String {
        format!("/dev/{}", self.disk)
    }

    /// Reads and checks both copies of the disk's table.
    ///
    /// # Errors
    /// When the disk has no plain, whole GPT with room in it.
    pub fn find(disk: &str) -> Result<Self> {
        let refuse = |what: &str| {
            Problem::refused(
                format!("/dev/{disk}: {what}."),
                "Nothing was changed. Name an empty partition, or a file on the ESP or on a \
                 separate /boot: stayput init --vault PATH",
            )
        };
        // It may hold a vault.
        let unread = |error: &std::io::Error| {
            refuse(&format!("the disk cannot be read ({error})")).of_kind(ProblemKind::NotReadable)
        };
        let class = Path::new("/sys/block").join(disk);
        if !sysfs::list(&class.join("holders")).is_empty() || disk.starts_with("md") {
            return Err(refuse("the disk is part of a RAID"));
        }
        let sector = sector_size(disk);
        let file = File::open(Path::new("/dev").join(disk)).map_err(|error| unread(&error))?;
        let read = |at: u64, bytes: usize| {
            let mut buffer = vec![0; bytes];
            file.read_exact_at(&mut buffer, at * sector)
                .map(|()| buffer)
                .map_err(|error| unread(&error))
        };
        if !gpt::is_protective(&read(0, 512)?) {
            return Err(refuse("the disk has no plain GPT partition table"));
        }
        let table_at = |at: u64| -> Result<Gpt> {
            let header = read(at, sector as usize)?;
            let damaged = |error| match error {
                GptError::Unsupported => refuse("its partition table has an unusual size"),
                _ => refuse("its partition table is damaged"),
            };
            let entries = gpt::entries_at(&header).map_err(damaged)?;
            Gpt::parse(&header, &read(entries.sector, entries.bytes)?).map_err(damaged)
        };
        let table = table_at(1)?;
        let backup = table_at(table.backup_sector())?;
        if backup.entries() != table.entries() {
            return Err(refuse("the two copies of its partition table differ"));
        }
        let sectors = VAULT_BYTES / sector;
        let gaps = table.gaps(sectors, BLOCK_SIZE as u64 / sector);
        if gaps.is_empty() {
            return Err(refuse("there is no gap of 960 KiB between its partitions"));
        }
        let first = first_free(&gaps, |at| read(at, VAULT_BYTES as usize))?.ok_or_else(|| {
            refuse(
                "the gaps between its partitions hold something, perhaps a boot loader that \
                 no table names",
            )
        })?;
        Ok(Self {
            disk: disk.to_owned(),
            sector,
            first,
            table,
        })
    }

    /// Adds the partition: the old tables are saved to a file, then the backup
    /// table is written, then the primary one, then the kernel is told. The disk is
    /// locked meanwhile (flock(2), as partitioning tools and udev do).
    ///
    /// # Errors
    /// When the table is not as it was found, or the disk cannot be written; one of
    /// the two tables is then whole.
    pub fn make(&self) -> Result<PartitionId> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Problem::failed(
                format!("/dev/{}: {what}: {error}.", self.disk),
                format!("The partition tables as they were are in {SAVED_TABLES}."),
            )
        };
        let sectors = VAULT_BYTES / self.sector;
        let mut table = self.table.clone();
        let guid = new_guid();
        let number = table
            .add(PARTITION_NAME, guid, self.first, sectors)
            .map_err(|_| failed("no partition can be added", &"the table is full"))?;
        let device = PathBuf::from(self.disk());
        let disk = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&device)
            .map_err(|error| failed("the disk cannot be written", &error))?;
        file_lock::lock(&disk, LOCK_WAITS)
            .map_err(|_| failed("it is in use", &"another program partitions it"))?;
        let again = Self::find(&self.disk)?;
        if !self.is_same(&again) {
            return Err(Problem::refused(
                format!("The partitions of /dev/{} have just changed.", self.disk),
                "Nothing was changed by this. Run the command again.",
            ));
        }
        self.save_tables(&disk)
            .map_err(|error| failed("the old tables cannot be saved", &error))?;
        self.write_tables(&disk, &table)
            .map_err(|error| failed("the new table cannot be written", &error))?;
        let start = self.first * self.sector;
        partition::add(&disk, number, start, VAULT_BYTES)
            .map_err(|errno| failed("the kernel does not take the new partition", &errno))?;
        self.wait_for(&format!("{guid}"))
            .ok_or_else(|| failed("the new partition does not appear", &"restart the server"))
    }

    /// Whether nothing has happened to the table since.
    pub fn is_same(&self, other: &Self) -> bool {
        self.disk == other.disk
            && self.first == other.first
            && self.table.entries() == other.table.entries()
    }

    fn save_tables(&self, disk: &File) -> std::io::Result<()> {
        let whole = (2 * self.sector) as usize + ENTRIES_BYTES;
        let mut saved = vec![0; whole];
        disk.read_exact_at(&mut saved, 0)?;
        let mut backup = vec![0; ENTRIES_BYTES + self.sector as usize];
        let at = self.backup_entries() * self.sector;
        disk.read_exact_at(&mut backup, at)?;
        saved.extend(backup);
        fs::create_dir_all("/etc/stayput")?;
        fs::write(SAVED_TABLES, saved)?;
        File::open(SAVED_TABLES)?.sync_all()
    }

    /// The backup's entries stand right before its header.
    fn backup_entries(&self) -> u64 {
        self.table.backup_sector() - self.table.entries().len() as u64 / self.sector
    }

    fn write_tables(&self, disk: &File, table: &Gpt) -> std::io::Result<()> {
        let at = |sector: u64| sector * self.sector;
        let header = gpt::entries_at(&table.primary_header())
            .map_err(|_| std::io::Error::other("the new table does not check"))?;
        let entries = table.entries();
        disk.write_all_at(&entries, at(self.backup_entries()))?;
        let backup = table.backup_header(self.backup_entries());
        disk.write_all_at(&backup, at(table.backup_sector()))?;
        disk.sync_all()?;
        disk.write_all_at(&entries, at(header.sector))?;
        disk.write_all_at(&table.primary_header(), at(1))?;
        disk.sync_all()
    }

    /// Waits for the device file, which devtmpfs makes nearly at once.
    fn wait_for(&self, id: &str) -> Option<PartitionId> {
        for _ in 0..50 {
            let found = partitions_of(&self.disk)
                .into_iter()
                .find(|found| found.id == id && found.device.exists());
            if let Some(found) = found {
                return Some(found.id);
            }
            sleep(Duration::from_millis(100));
        }
        None
    }
}

/// The first gap with nothing in it but zeroes. Boot loaders of small
/// computers (U-Boot), and what an earlier system left, are in no partition.
fn first_free(gaps: &[u64], read: impl Fn(u64) -> Result<Vec<u8>>) -> Result<Option<u64>> {
    for gap in gaps {
        if Traces::of(&read(*gap)?) == Traces::Empty {
            return Ok(Some(*gap));
        }
    }
    Ok(None)
}

/// A random GUID (RFC 9562, version 4).
fn new_guid() -> Guid {
    let mut bytes: [u8; 16] = random_bytes();
    bytes[7] = bytes[7] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Guid(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_loader_in_a_gap_is_left_alone() {
        let read = |at: u64| {
            let mut content = vec![0; VAULT_BYTES as usize];
            // Some boards load their first program from sector 64.
            if at == 40 {
                content[24 * 512..][..4].copy_from_slice(b"RK33");
            }
            Ok(content)
        };
        assert_eq!(first_free(&[40, 1_002_048], read).unwrap(), Some(1_002_048));
        assert_eq!(first_free(&[40], read).unwrap(), None);
        assert_eq!(first_free(&[], read).unwrap(), None);
    }
}
