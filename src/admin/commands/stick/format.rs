//! `stayput stick make --format`: a fresh filesystem on the whole stick.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;

use super::description::{bytes_of, content_of, maker_of, size_in_words};
use super::partition_table::{FIRST_BYTE, partition_table};
use super::{must_be_among, not_read};
use crate::admin::ask;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::program;
use crate::filesystem::Filesystem;
use crate::keys::random_bytes;
use crate::stick::{Stick, StickError, plugged_in};
use crate::sys::write_protection::wait_for_looks;
use crate::sys::{file_lock, partition, sysfs};
use crate::vault::partitions::{FoundPartition, partitions_of, sector_size};

/// What a fresh stick gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FreshFilesystem {
    /// FAT32: every system reads it
    Vfat,
    /// For files above 4 GiB
    Exfat,
}

/// Windows makes no larger FAT32.
const LARGEST_VFAT: u64 = 32 << 30;

/// How long whoever has locked the disk is waited for; udev does so for a moment.
const LOCK_WAITS: Duration = Duration::from_secs(10);

/// How long it waits for another command that looks at the stick.
const LOOKS_TAKE: Duration = Duration::from_secs(3);

impl FreshFilesystem {
    fn usual(bytes: u64) -> Self {
        match bytes > LARGEST_VFAT {
            true => Self::Exfat,
            false => Self::Vfat,
        }
    }

    fn filesystem(self) -> Filesystem {
        match self {
            Self::Vfat => Filesystem::Vfat,
            Self::Exfat => Filesystem::Exfat,
        }
    }

    /// What makes it, the option for its label, and the Debian package.
    fn tool(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Vfat => ("mkfs.vfat", "-n", "dosfstools"),
            Self::Exfat => ("mkfs.exfat", "-L", "exfatprogs"),
        }
    }
}

/// A stick that is going to be formatted; nothing is written yet.
pub struct Fresh {
    stick: Stick,
    disk: PathBuf,
    bytes: u64,
    filesystem: FreshFilesystem,
    program: PathBuf,
}

impl Fresh {
    /// # Errors
    /// When the device is no whole stick, it holds a vault, or the program that
    /// formats is missing.
    pub fn check(device: &Path, asked: Option<FreshFilesystem>) -> Result<Self> {
        let real = device.canonicalize().unwrap_or_else(|_| device.to_owned());
        let is_whole = |stick: &Stick| Path::new("/dev").join(&*stick.disk) == real;
        let Some(stick) = plugged_in().into_iter().find(is_whole) else {
            return Err(Problem::new(
                Exit::Usage,
                format!("{} is not a whole stick.", device.display()),
                "A stick is formatted as a whole: name the disk, for example /dev/sdb.",
            ));
        };
        if partitions_of(&stick.disk)
            .iter()
            .any(FoundPartition::has_vaults_name)
        {
            return Err(Problem::refused(
                format!("{} holds a vault.", device.display()),
                "Use another stick.",
            ));
        }
        let bytes = bytes_of(&Path::new("/sys/block").join(&*stick.disk));
        let filesystem = asked.unwrap_or(FreshFilesystem::usual(bytes));
        if let Some(driver) = filesystem.filesystem().missing_driver() {
            return Err(not_read(device, StickError::NoDriver(driver)));
        }
        let (name, _, package) = filesystem.tool();
        let program = program::find(name).ok_or_else(|| {
            Problem::failed(
                format!("{name} is not installed."),
                format!("Nothing was changed. Run: apt install {package}"),
            )
        })?;
        let fresh = Self {
            disk: real,
            stick,
            bytes,
            filesystem,
            program,
        };
        fresh.table()?;
        fresh.must_be_unused()?;
        Ok(fresh)
    }

    /// Asks for the stick's name and size.
    ///
    /// # Errors
    /// When something else is typed, or another stick has its name by now.
    pub fn confirm(&self) -> Result<()> {
        // The questions before this one have taken minutes.
        self.must_be_unused()?;
        let (disk, size) = (self.disk.display(), size_in_words(self.bytes));
        let title = self.filesystem.filesystem().title();
        println!(
            "{disk} ({}, {size}) will be formatted as {title}.",
            self.content()
        );
        println!("EVERYTHING ON IT IS LOST, the keys of other servers too.");
        let typed = ask::line(&format!("Type its name and size ({disk} {size}): "))?;
        if is_confirmed(&typed, &self.stick.disk, &size) {
            return Ok(());
        }
        Err(Problem::refused(
            format!("That is not {disk} {size}."),
            "Nothing was changed.",
        ))
    }

    /// The stick's volumes as they are now.
    pub fn volumes(&self) -> &[PathBuf] {
        &self.stick.volumes
    }

    /// What is on it, and who made it, for people.
    fn content(&self) -> String {
        let volumes = self.stick.volumes.iter();
        let volumes: Vec<&str> = volumes.map(|volume| content_of(volume)).collect();
        let words = maker_of(&self.stick);
        match words.is_empty() {
            true => volumes.join(" and "),
            false => format!("{words}, {}", volumes.join(" and ")),
        }
    }

    fn table(&self) -> Result<[u8; 512]> {
        let sector = sector_size(&self.stick.disk);
        let filesystem = self.filesystem.filesystem();
        partition_table(self.bytes, sector, filesystem, random_bytes()).ok_or_else(|| {
            Problem::refused(
                format!(
                    "{} has {}: too small, or too large, for a stick.",
                    self.disk.display(),
                    size_in_words(self.bytes)
                ),
                "Nothing was changed. Use a stick of 2 TB at most.",
            )
        })
    }

    /// Writes the partition table and makes the filesystem. Returns the volume.
    ///
    /// # Errors
    /// When the stick is in use or takes no writes, another one has its name by
    /// now, or the filesystem cannot be made.
    pub fn format(&self) -> Result<PathBuf> {
        let table = self.table()?;
        let _ = wait_for_looks(&self.disk, LOOKS_TAKE);
        let lock = self.lock()?;
        self.write_table(&table)?;
        let volume = self.wait_for_volume(&lock).ok_or_else(|| {
            let disk = self.disk.display();
            Problem::failed(
                format!("{disk} has a new partition, and the kernel does not show it."),
                "Take the stick out, plug it in again, and run the command again.",
            )
        })?;
        self.make_filesystem(&volume, lock)?;
        Ok(volume)
    }

    /// Keeps udev from reading the partition table again, which it does when a
    /// disk was written and which takes the partition away for a moment
    /// (<https://systemd.io/BLOCK_DEVICE_LOCKING>). With O_EXCL nobody could open
    /// the partition.
    fn lock(&self) -> Result<File> {
        let disk = File::open(&self.disk).map_err(|error| self.not_opened(&error))?;
        match file_lock::lock(&disk, LOCK_WAITS) {
            Ok(()) => Ok(disk),
            Err(Errno::EWOULDBLOCK) => Err(Problem::refused(
                format!("{} is in use by another program.", self.disk.display()),
                "Nothing was changed. Run the command again when that one has ended.",
            )),
            Err(errno) => Err(self.not_opened(&errno.into())),
        }
    }

    /// The lock ends when the program has.
    fn make_filesystem(&self, volume: &Path, lock: File) -> Result<()> {
        let (_, label, _) = self.filesystem.tool();
        let make = || {
            // Another command looks at each stick that comes.
            let _ = wait_for_looks(volume, LOOKS_TAKE);
            let mut made = Command::new(&self.program);
            made.args([label, "STAYPUT"]).arg(volume);
            program::run(
                &mut made,
                "The stick is broken, or too small: use another one.",
            )
        };
        // A look may have begun just before.
        let made = make().or_else(|_| make());
        drop(lock);
        made.map(drop)
    }

    fn must_be_unused(&self) -> Result<()> {
        // One that is mounted, or not to be written, is told of below.
        let _ = wait_for_looks(&self.disk, LOOKS_TAKE);
        let read_only = Path::new("/sys/block").join(&*self.stick.disk).join("ro");
        let is_protected = sysfs::read_text::<4>(&read_only).as_deref() == Some("1");
        match is_protected {
            true => Err(self.not_opened(&io::Error::from_raw_os_error(libc::EROFS))),
            false => self.open_alone(false).map(drop),
        }
    }

    /// Refuses one that something is mounted of, and another stick than the one
    /// that was looked at, which has the same name once that one is out.
    fn open_alone(&self, writable: bool) -> Result<File> {
        let opened = OpenOptions::new()
            .read(true)
            .write(writable)
            .custom_flags(libc::O_EXCL | libc::O_CLOEXEC)
            .open(&self.disk);
        let length = |mut disk: File| disk.seek(SeekFrom::End(0)).map(|bytes| (disk, bytes));
        let (disk, bytes) = opened
            .and_then(length)
            .map_err(|error| self.not_opened(&error))?;
        // Listed after the opening: a number that is still there was there then. One that
        // changes its size has changed its medium.
        let now = match bytes == self.bytes {
            true => plugged_in(),
            false => Vec::new(),
        };
        must_be_among(&self.stick, &self.disk, &now).map(|()| disk)
    }

    fn not_opened(&self, error: &io::Error) -> Problem {
        let disk = self.disk.display();
        match error.raw_os_error() {
            Some(libc::EBUSY) => Problem::refused(
                format!("{disk} is in use: something on it is mounted."),
                format!("Nothing was changed. Run: umount {disk}*"),
            ),
            _ => Problem::failed(
                format!("{disk} cannot be written: {error}."),
                "Is the stick write-protected? Try another one.",
            ),
        }
    }

    /// Overwrites what other tables and filesystems leave at both ends, then
    /// writes the table.
    fn write_table(&self, table: &[u8; 512]) -> Result<()> {
        let disk = self.open_alone(true)?;
        let zeros = vec![0; FIRST_BYTE as usize];
        let end = self.bytes.saturating_sub(FIRST_BYTE);
        let write = || {
            for at in [0, FIRST_BYTE.min(end), end] {
                disk.write_all_at(&zeros, at)?;
            }
            disk.sync_all()?;
            disk.write_all_at(table, 0)?;
            disk.sync_all()
        };
        write().map_err(|error| self.not_opened(&error))
    }

    /// The kernel may be reading the table already. One that was pulled meanwhile
    /// has none: `disk` stays that one.
    fn wait_for_volume(&self, disk: &File) -> Option<PathBuf> {
        let volume = volume_of(&self.disk);
        let class = Path::new("/sys/class/block").join(volume.file_name()?);
        let is_new = || {
            let starts = sysfs::read_text::<20>(&class.join("start"));
            let size = sysfs::read_text::<20>(&class.join("size"));
            let expected = (FIRST_BYTE / 512).to_string();
            let fills = size.and_then(|text| text.parse::<u64>().ok())
                == Some((self.bytes - FIRST_BYTE) / 512);
            starts.as_deref() == Some(expected.as_str()) && fills && volume.exists()
        };
        for _ in 0..50 {
            if partition::read_again(disk).is_ok() && is_new() {
                return Some(volume);
            }
            sleep(Duration::from_millis(100));
        }
        None
    }
}

/// The first partition of a disk, as the kernel calls it.
fn volume_of(disk: &Path) -> PathBuf {
    let disk = disk.display().to_string();
    let between = match disk.ends_with(|last: char| last.is_ascii_digit()) {
        true => "p",
        false => "",
    };
    format!("{disk}{between}1").into()
}

/// Whether somebody typed the name and the size of the disk.
fn is_confirmed(typed: &str, disk: &str, size: &str) -> bool {
    let plain = |text: &str| -> String {
        let text = text.trim().trim_start_matches("/dev/");
        let letters = text.chars().filter(|letter| !letter.is_whitespace());
        letters.flat_map(char::to_lowercase).collect()
    };
    plain(typed) == plain(&format!("{disk} {size}"))
}

#[cfg(test)]
mod tests;
