//! Where a new vault goes.

use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::content;
use super::file::VaultFile;
use super::partition::Gap;
use crate::admin::problem::{Exit, Problem, ProblemKind, Result};
use crate::sys::sysfs;
use crate::vault::PartitionId;
use crate::vault::partitions::{FoundPartition, partitions, partitions_of};

/// Where the vault will be. It was checked; nothing is written yet.
pub enum Target {
    /// Room on a GPT disk for a new partition.
    NewPartition(Box<Gap>),
    /// A partition that is there.
    Partition {
        device: PathBuf,
        id: PartitionId,
        /// While it is open nobody mounts it (O_EXCL).
        held: Option<File>,
    },
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

impl Target {
    /// Lets others have the partition.
    pub fn let_go(&mut self) {
        if let Self::Partition { held, .. } = self {
            *held = None;
        }
    }

    /// Whether this is the same place, as it was.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NewPartition(one), Self::NewPartition(other)) => one.is_same(other),
            (
                Self::Partition { device, id, .. },
                Self::Partition {
                    device: other_device,
                    id: other_id,
                    ..
                },
            ) => (device, id) == (other_device, other_id),
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
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

/// Where a file can hold the vault on most systems without room for a partition.
pub const USUAL_FILES: [&str; 3] = [
    "/boot/efi/stayput.vault",
    "/efi/stayput.vault",
    "/boot/stayput.vault",
];

/// The place that the vault gets where the owner names none: as [`select_target`] selects
/// it, else, where the system's disk has no room, a file. The file's path is given too.
///
/// # Errors
/// Why the system's disk takes no vault, where no file can be made either.
pub fn usual_target() -> Result<(Target, Option<&'static str>)> {
    let problem = match select_target(None, None) {
        Ok(target) => return Ok((target, None)),
        Err(problem) => problem,
    };
    let has_one = || {
        let system = system_disk().map(|disk| partitions_of(&disk));
        system.is_ok_and(|found| found.iter().any(FoundPartition::has_vaults_name))
    };
    // Nothing is made beside a vault, or what may be one.
    if problem.kind == ProblemKind::NotReadable || has_one() {
        return Err(problem);
    }
    let file = USUAL_FILES.iter().find_map(|path| {
        let target = VaultFile::check(Path::new(path)).ok()?;
        Some((Target::File(target), Some(*path)))
    });
    file.ok_or(problem)
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
    content::must_be_free(&found)?;
    let device = found.device;
    let name = device.file_name().unwrap_or_default();
    let holders = Path::new("/sys/class/block").join(name).join("holders");
    if !sysfs::list(&holders).is_empty() {
        return Err(in_use(
            &device,
            "a RAID, LVM or crypt volume is built on it",
        ));
    }
    let held = must_be_unused(&device, open_alone(&device))?;
    Ok(Target::Partition {
        device,
        id: found.id,
        held: Some(held),
    })
}

fn in_use(device: &Path, what: &str) -> Problem {
    Problem::refused(
        format!("{} is in use: {what}.", device.display()),
        "Nothing was changed. Name an empty partition.",
    )
}

fn unreadable(device: &Path, errno: Errno) -> Problem {
    Problem::failed(
        format!("{} cannot be read: {}.", device.display(), errno.desc()),
        "Nothing was changed. Check the disk, or name another partition.",
    )
    .of_kind(ProblemKind::NotReadable)
}

fn must_be_unused<T>(device: &Path, opened: std::result::Result<T, Errno>) -> Result<T> {
    opened.map_err(|errno| match errno {
        Errno::EBUSY => in_use(device, "it is mounted, or another program has it"),
        errno => unreadable(device, errno),
    })
}

/// Fails with EBUSY where it is mounted, whatever its filesystem is.
fn open_alone(device: &Path) -> std::result::Result<File, Errno> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_EXCL | libc::O_CLOEXEC)
        .open(device)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
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
pub fn system_disk() -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_partition_is_refused_whatever_it_holds() {
        let unused = |opened| must_be_unused(Path::new("/dev/sda4"), opened);
        assert_eq!(unused(Err(Errno::EBUSY)).unwrap_err().exit, Exit::Refused);
        assert_eq!(unused(Err(Errno::EIO)).unwrap_err().exit, Exit::Failed);
        assert!(unused(Ok(())).is_ok());
    }
}
