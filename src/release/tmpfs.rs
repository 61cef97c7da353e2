//! The filesystem in memory for released keys. It never reaches the disk: it is
//! a tmpfs mounted with `noswap`, or a ramfs where the kernel is older than 6.4
//! and does not know that option.

use core::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use nix::errno::Errno;

use crate::sys::mount::{mount_memory, unmount, unmount_lazily};

/// Where it is mounted. It moves with /run when the root filesystem is
/// switched.
pub const RELEASE_FOLDER: &str = "/run/stayput";
/// Bytes of one released file, at most: a ramfs has no limit of its own.
const FILE_MAX: usize = 64 * 1024;

/// Why keys could not be put into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseError {
    /// The step that failed: `mount`, `write` ...
    pub step: &'static str,
    /// The errno (errno(3)); 0 where there was none.
    pub errno: i32,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The key cannot be put in memory: {}: {}.",
            self.step,
            Errno::from_raw(self.errno).desc()
        )
    }
}

fn at(step: &'static str) -> impl Fn(std::io::Error) -> ReleaseError {
    move |error| ReleaseError {
        step,
        errno: error.raw_os_error().unwrap_or(0),
    }
}

/// Whether the filesystem is mounted.
pub fn is_open() -> bool {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let folder = Path::new(RELEASE_FOLDER);
    device(folder).is_some() && device(folder) != folder.parent().and_then(device)
}

/// Mounts the filesystem where it is not mounted yet, readable for root and the
/// group `gid`.
///
/// # Errors
/// [`ReleaseError`] with the step that failed.
pub(super) fn open(gid: u32) -> Result<(), ReleaseError> {
    let folder = Path::new(RELEASE_FOLDER);
    if !is_open() {
        fs::create_dir_all(folder).map_err(at("make the folder"))?;
        mount_memory(folder, "tmpfs", "noswap,size=1m,nr_inodes=64,mode=0700")
            .or_else(|_| mount_memory(folder, "ramfs", ""))
            .map_err(|errno| at("mount")(errno.into()))?;
    }
    chown(folder, Some(0), Some(gid)).map_err(at("set the owner"))?;
    fs::set_permissions(folder, Permissions::from_mode(0o750)).map_err(at("set the mode"))
}

/// Writes a file that only `uid` can read, mode 0400. It gets its name when it
/// is complete, so that nobody reads half a key.
///
/// # Errors
/// [`ReleaseError`] with the errno; EFBIG for more than 64 KiB, ENOENT where
/// the filesystem is not mounted.
pub fn write_file(name: &str, bytes: &[u8], uid: u32, gid: u32) -> Result<(), ReleaseError> {
    if bytes.len() > FILE_MAX {
        return Err(ReleaseError {
            step: "write",
            errno: libc::EFBIG,
        });
    }
    if !is_open() {
        return Err(ReleaseError {
            step: "write",
            errno: libc::ENOENT,
        });
    }
    let folder = Path::new(RELEASE_FOLDER);
    let new = folder.join(".new");
    let write = || {
        let _ = erase(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&new)?;
        file.write_all(bytes)?;
        chown(&new, Some(uid), Some(gid))?;
        fs::rename(&new, folder.join(name))
    };
    write().map_err(at("write"))
}

/// Removes a file; returns whether it was there.
///
/// # Errors
/// [`ReleaseError`] with the errno of unlink(2).
pub(super) fn remove_file(name: &str) -> Result<bool, ReleaseError> {
    match erase(&Path::new(RELEASE_FOLDER).join(name)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at("remove")(error)),
    }
}

/// Overwrites a file's pages in memory, which the kernel gives away as they are,
/// and removes it.
fn erase(path: &Path) -> std::io::Result<()> {
    let overwritten = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| {
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(FILE_MAX);
            file.write_all(&vec![0; length.min(FILE_MAX)])
        });
    // Removed in any case.
    fs::remove_file(path).and(overwritten)
}

/// Revokes all released keys: removes every file and unmounts the filesystem.
/// Errors are ignored; [`is_open`] tells whether it is still mounted.
pub fn revoke() {
    if !is_open() {
        return;
    }
    let folder = Path::new(RELEASE_FOLDER);
    if let Ok(entries) = fs::read_dir(folder) {
        for entry in entries.filter_map(Result::ok) {
            let _ = erase(&entry.path());
        }
    }
    if unmount(folder).is_err() {
        let _ = unmount_lazily(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_key_that_is_taken_back_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mariadb.keys");
        fs::write(&path, "1;00112233").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        let mut open = fs::File::open(&path).unwrap();
        erase(&path).unwrap();
        let mut left = Vec::new();
        open.read_to_end(&mut left).unwrap();
        assert_eq!(left, [0; 10]);
        assert!(!path.exists());
        assert_eq!(erase(&path).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
