//! A folder on a stick or a share that others may have written to: everything in it is
//! opened by its name, and no link is followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, openat, posix_fadvise};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, syncfs, unlinkat};

use crate::sys::beneath;

/// Names of one folder that are read, at most.
const NAMES_MAX: usize = 20_000;

/// An open folder.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens the top folder of the place. A mount and a link lead there, if its owner has
    /// named one.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn at(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        match file.metadata()?.is_dir() {
            true => Ok(Self(file.into())),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// What openat2(2) says: ELOOP or ENOTDIR for a link.
    pub fn open(&self, name: &str) -> io::Result<Self> {
        Ok(Self(beneath::open_directory(&self.0, OsStr::new(name))?))
    }

    /// Makes a folder in this one, if it is not there, and opens it.
    ///
    /// # Errors
    /// What mkdirat(2) or openat2(2) says.
    pub fn make(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(Errno::EEXIST) => self.open(name),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes a folder that is not there yet.
    ///
    /// # Errors
    /// What mkdirat(2) says.
    pub fn make_new(&self, name: &str) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, Mode::from_bits_truncate(0o700))?)
    }

    /// The names in it, sorted; those that are no text are left out.
    ///
    /// # Errors
    /// What readdir(3) says; also where there are too many.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let names = beneath::names(&self.0, NAMES_MAX)?;
        let names = names.ok_or_else(|| io::Error::other("there are too many files"))?;
        let texts = names.into_iter().filter_map(|name| name.into_string().ok());
        Ok(texts.collect())
    }

    /// Makes a file that is not there yet.
    ///
    /// # Errors
    /// What openat(2) says.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&self.0, name, flags, Mode::from_bits_truncate(0o600))?;
        Ok(file.into())
    }

    /// Makes a file, if it is not there.
    ///
    /// # Errors
    /// What openat(2) says.
    pub fn touch(&self, name: &str) -> io::Result<()> {
        match self.create(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map(drop),
        }
    }

    /// Opens a file for reading. What of it is still in memory says nothing about the disk,
    /// and is read from there again.
    ///
    /// # Errors
    /// What openat2(2) says; EINVAL for what is no regular file.
    pub fn file(&self, name: &str) -> io::Result<File> {
        // Without O_NONBLOCK a pipe of that name would hold the command up for ever.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        let file = File::from(beneath::open(&self.0, OsStr::new(name), flags)?);
        if !file.metadata()?.is_file() {
            return Err(Errno::EINVAL.into());
        }
        // A filesystem that keeps nothing may refuse it.
        let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        Ok(file)
    }

    /// Reads a file of `max` bytes at most.
    ///
    /// # Errors
    /// What the filesystem says; also when it is longer.
    pub fn read(&self, name: &str, max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.file(name)?;
        file.take(max as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() > max {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(bytes),
        }
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// What unlinkat(2) says.
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        absent(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))
    }

    /// Removes an empty folder, if it is there.
    ///
    /// # Errors
    /// What unlinkat(2) says.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        absent(unlinkat(&self.0, name, UnlinkatFlags::RemoveDir))
    }

    /// Returns when everything that was written to its filesystem is on the disk.
    ///
    /// # Errors
    /// What syncfs(2) says; since Linux 5.8 also of writes that failed meanwhile.
    pub fn flush(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }
}

fn absent(removed: nix::Result<()>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn link_on_a_stick_leads_nowhere() {
        let room = tempfile::tempdir().unwrap();
        let (stick, system) = (room.path().join("stick"), room.path().join("etc"));
        fs::create_dir_all(&stick).unwrap();
        fs::create_dir_all(&system).unwrap();
        fs::write(system.join("shadow"), "secret").unwrap();
        symlink(&system, stick.join("backups")).unwrap();
        symlink(system.join("shadow"), stick.join("manifest")).unwrap();
        let folder = Folder::at(&stick).unwrap();
        assert!(folder.make("backups").is_err());
        assert!(folder.open("backups").is_err());
        assert!(folder.create("manifest").is_err());
        assert!(folder.read("manifest", 100).is_err());
        folder.remove_file("manifest").unwrap();
        assert!(system.join("shadow").exists());
    }

    #[test]
    fn pipe_or_long_file_is_not_read() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::at(room.path()).unwrap();
        nix::unistd::mkfifo(&room.path().join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(folder.file("pipe").is_err());
        fs::write(room.path().join("file"), "four").unwrap();
        assert_eq!(folder.read("file", 4).unwrap(), b"four");
        assert!(folder.read("file", 3).is_err());
    }
}
