//! Files that are there after a power cut, or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use nix::unistd::syncfs;

/// Writes a whole file that is there after a power cut, or not at all.
///
/// # Errors
/// What the filesystem says.
pub fn write_durably(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_directory(path)
}

/// Makes a rename or a removal of `path` last.
///
/// # Errors
/// What the filesystem says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The filesystem of a directory, from a moment on: a write that does not reach
/// the disk after it is told by [`Filesystem::sync`], whoever wrote it and
/// whoever else was told. Taken before a copy begins, it vouches for the copy.
#[derive(Debug)]
pub struct Filesystem(File);

impl Filesystem {
    /// # Errors
    /// What open(2) says.
    pub fn of(directory: &Path) -> io::Result<Self> {
        File::open(directory).map(Self)
    }

    /// Puts everything that was written to it onto the disk: MariaDB leaves
    /// some of its files to the kernel.
    ///
    /// # Errors
    /// EIO when a write has not reached the disk. Linux says so since 5.8:
    /// before it, no error is no proof.
    pub fn sync(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_not_synced() {
        let room = tempfile::tempdir().unwrap();
        Filesystem::of(room.path()).unwrap().sync().unwrap();
        assert!(Filesystem::of(&room.path().join("absent")).is_err());
    }
}
