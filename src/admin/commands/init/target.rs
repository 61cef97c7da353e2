//! Where a new vault goes.

use core::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::file::VaultFile;
use super::partition::Gap;
use crate::admin::problem::{Exit, Problem, Result};
use crate::filesystem::{Format, format_of};
use crate::sys::sysfs;
use crate::vault::PartitionId;
use crate::vault::partitions::{FoundPartition, partitions, partitions_of};

/// Where the vault will be. It was checked; nothing is written yet.
pub enum Target {
    /// Room on a GPT disk for a new partition.
    NewPartition(Box<Gap>),
    /// A partition that is there.
    Partition { device: PathBuf, id: PartitionId },
    /// A new file on a separate filesystem.
    File(VaultFile),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewPartition(gap) => write!(f, "a new partition of 960 KiB on {}", gap.disk()),
            Self::Partition { device, .. } => write!(f, "the partition {}", device.display()),
            Self::File(file) => write!(f, "the file {}", file.path.display()),
        }
    }
}

/// Selects where the vault goes: what the owner named, else a partition called
/// `stayput` on the system's disk, else a gap for one.
pub fn select_target(disk: Option<&Path>, vault: Option<&Path>) -> Result<Target> {
    if let Some(path) = vault {
        let is_device = fs::metadata(path).is_ok_and(|meta| meta.file_type().is_block_device());
        return if is_device {
            named_partition(path)
        } else {
            VaultFile::check(path).map(Target::File)
        };
    }
    let disk = match disk {
        Some(path) => disk_name(path)?,
        None => system_disk()?,
    };
    let existing = partitions_of(&disk)
        .into_iter()
        .find(FoundPartition::has_vaults_name);
    match existing {
        Some(found) => usable(found),
        None => Gap::find(&disk).map(|gap| Target::NewPartition(Box::new(gap))),
    }
}

fn named_partition(path: &Path) -> Result<Target> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let found = partitions().find(|found| found.device == path);
    usable(found.ok_or_else(|| {
        Problem::new(
            Exit::Usage,
            format!("{} is not a partition of a disk.", path.display()),
            "Name a partition such as /dev/sda4. LVM, RAID and crypt volumes cannot hold a vault.",
        )
    })?)
}

/// Refuses a partition that is in use or holds something.
fn usable(found: FoundPartition) -> Result<Target> {
    let in_use = |what: &str| {
        Problem::refused(
            format!("{} is in use: {what}.", found.device.display()),
            "Nothing was changed. Name an empty partition.",
        )
    };
    if let Some(title) = format_of(&found.device).ok().and_then(Format::title) {
        return Err(in_use(&format!("it is formatted as {title}")));
    }
    let name = found.device.file_name().unwrap_or_default();
    let holders = Path::new("/sys/class/block").join(name).join("holders");
    if !sysfs::list(&holders).is_empty() {
        return Err(in_use("a RAID, LVM or crypt volume is built on it"));
    }
    Ok(Target::Partition {
        device: found.device,
        id: found.id,
    })
}

/// The kernel's name of a device: `sda` for `/dev/sda`. Links are followed.
fn disk_name(path: &Path) -> Result<String> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = real.file_name().and_then(|name| name.to_str());
    name.filter(|name| Path::new("/sys/block").join(name).exists())
        .map(str::to_owned)
        .ok_or_else(|| {
            Problem::new(
                Exit::Usage,
                format!("{} is not a disk.", path.display()),
                "Name a whole disk such as /dev/sda.",
            )
        })
}

/// The disk that the root filesystem is on, through LVM and crypt volumes.
fn system_disk() -> Result<String> {
    let unknown = || {
        Problem::new(
            Exit::Usage,
            "It is not clear which disk the system is on.",
            "Name it: stayput init --disk /dev/sda",
        )
    };
    let device = fs::metadata("/").map_err(|_| unknown())?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let link = Path::new("/sys/dev/block").join(format!("{major}:{minor}"));
    let mut path = fs::canonicalize(link).map_err(|_| unknown())?;
    // LVM on crypt on a partition is three steps.
    for _ in 0..8 {
        let slaves = path.join("slaves");
        match sysfs::list(&slaves).first() {
            Some(slave) => {
                path = fs::canonicalize(slaves.join(&**slave)).map_err(|_| unknown())?;
            }
            None => break,
        }
    }
    if path.join("partition").exists() {
        path.pop();
    }
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(unknown)
}
