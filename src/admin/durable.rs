//! Writes that survive a power cut, whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::syncfs;

/// Replaces a file: after a power cut it holds the old text or the new one,
/// never a part. The directories above it are made.
///
/// # Errors
/// What the filesystem says.
pub fn write_durably(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace(path, contents, None)
}

/// As [`write_durably`], and the file can be run from the moment it is there.
///
/// # Errors
/// What the filesystem says.
pub fn write_program_durably(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace(path, contents, Some(0o755))
}

fn replace(path: &Path, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.write_all(contents)?;
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_directory(path)
}

/// Removes a file, so that it stays away after a power cut. Returns whether there was
/// one.
///
/// # Errors
/// What the filesystem says.
pub fn remove_durably(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(()) => sync_directory(path).map(|()| true),
    }
}

/// Makes a rename or a removal of `path` survive a power cut.
///
/// # Errors
/// What the filesystem says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// A filesystem whose failed writes are counted from the moment it is opened.
/// [`Filesystem::sync`] reports every write since then that did not reach the
/// disk, whoever wrote it. Opened before a copy begins, it vouches for the copy.
#[derive(Debug)]
pub struct Filesystem(File);

impl Filesystem {
    /// Opens the filesystem that holds `directory`.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn of(directory: &Path) -> io::Result<Self> {
        File::open(directory).map(Self)
    }

    /// Writes everything to the disk (syncfs(2)). MariaDB does not sync all of
    /// its files itself.
    ///
    /// # Errors
    /// EIO when a write has not reached the disk. Linux reports that since 5.8;
    /// on an older kernel success proves nothing.
    pub fn sync(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the way of the rename stands for a power cut before it.
    #[test]
    fn a_program_can_be_run_before_it_is_in_its_place() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("program");
        fs::create_dir_all(path.join("in the way")).unwrap();
        assert!(write_program_durably(&path, b"text").is_err());
        let new = fs::metadata(room.path().join("program.new")).unwrap();
        assert_eq!(new.permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_directory_that_is_not_there_is_not_synced() {
        let room = tempfile::tempdir().unwrap();
        Filesystem::of(room.path()).unwrap().sync().unwrap();
        assert!(Filesystem::of(&room.path().join("absent")).is_err());
    }
}
