//! Listing the data directory: files in the databases' directories one by
//! one, any other directory as a whole.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat};

use crate::admin::{Problem, Result};
use crate::sys::beneath::{self, kind, open_directory, open_root};

use super::{Entry, Kind, Known};

/// Files that are looked at, at most.
const ENTRIES_MAX: usize = 1_000_000;
/// Directories within each other, at most: each one holds a descriptor.
const DEPTH_MAX: usize = 64;

/// Everything in the data directory, sorted. Links are not followed.
///
/// # Errors
/// When it cannot be read, something is mounted in it, or there are more
/// files than anybody has.
pub fn list(data: &Path, known: &Known) -> Result<Vec<Entry>> {
    let mut listing = Listing {
        known,
        left: ENTRIES_MAX,
        entries: Vec::new(),
    };
    let root = open_root(data).map_err(|error| problem(data, error))?;
    listing.top(&root, data)?;
    Ok(listing.entries)
}

struct Listing<'a> {
    known: &'a Known,
    left: usize,
    entries: Vec<Entry>,
}

impl Listing<'_> {
    fn top(&mut self, root: &OwnedFd, data: &Path) -> Result<()> {
        self.each(root, data, |listing, name, at| {
            let database = kind(at) == SFlag::S_IFDIR
                && name
                    .to_str()
                    .is_some_and(|name| listing.known.has_database(name) && !name.starts_with('#'));
            if !database {
                return listing.add(root, data, Path::new(name), at);
            }
            let path = data.join(name);
            let inside = open_directory(root, name).map_err(|error| problem(&path, error))?;
            listing.each(&inside, &path, |listing, file, at| {
                listing.add(&inside, data, &Path::new(name).join(file), at)
            })
        })
    }

    /// Looks at each name in a directory.
    fn each(
        &mut self,
        directory: &OwnedFd,
        path: &Path,
        mut look: impl FnMut(&mut Self, &OsStr, &FileStat) -> Result<()>,
    ) -> Result<()> {
        let names = beneath::names(directory, self.left)
            .map_err(|error| problem(path, error))?
            .ok_or_else(|| too_many(path))?;
        self.left -= names.len();
        for name in names {
            let at = beneath::open(directory, &name, OFlag::O_PATH).and_then(fstat);
            match at {
                Ok(at) => look(self, &name, &at)?,
                // A running server removes its temporary files.
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(problem(&path.join(name), error)),
            }
        }
        Ok(())
    }

    fn add(&mut self, parent: &OwnedFd, data: &Path, path: &Path, at: &FileStat) -> Result<()> {
        let size = u64::try_from(at.st_size).unwrap_or(0);
        let (kind, bytes) = match kind(at) {
            SFlag::S_IFREG => (Kind::File, size),
            SFlag::S_IFDIR => {
                let full = data.join(path);
                let name = path.file_name().unwrap_or_default();
                let inside = open_directory(parent, name).map_err(|error| problem(&full, error))?;
                (Kind::Directory, self.bytes_in(&inside, &full, 0)?)
            }
            SFlag::S_IFLNK => (Kind::Link, 0),
            SFlag::S_IFSOCK => (Kind::Socket, 0),
            _ => (Kind::Special, 0),
        };
        self.entries.push(Entry {
            path: path.to_owned(),
            kind,
            bytes,
            links: at.st_nlink.into(),
        });
        Ok(())
    }

    fn bytes_in(&mut self, directory: &OwnedFd, path: &Path, depth: usize) -> Result<u64> {
        if depth == DEPTH_MAX {
            return Err(too_many(path));
        }
        let mut bytes = 0;
        self.each(directory, path, |listing, name, at| {
            if kind(at) == SFlag::S_IFDIR {
                let below = path.join(name);
                let inside =
                    open_directory(directory, name).map_err(|error| problem(&below, error))?;
                bytes += listing.bytes_in(&inside, &below, depth + 1)?;
            } else if kind(at) == SFlag::S_IFREG {
                bytes += u64::try_from(at.st_size).unwrap_or(0);
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}

fn problem(path: &Path, error: Errno) -> Problem {
    let shown = path.display();
    match error {
        Errno::EXDEV => Problem::refused(
            format!("Something is mounted at {shown}, in the data directory."),
            format!("It cannot be moved along. Unmount it: `umount {shown}`, and in /etc/fstab."),
        ),
        _ => Problem::failed(
            format!("{shown} cannot be looked at: {error}"),
            "Is the disk failing? `dmesg` tells.",
        ),
    }
}

fn too_many(path: &Path) -> Problem {
    Problem::refused(
        format!(
            "There are more files in {} than can be looked at.",
            path.display()
        ),
        "Move what is not MariaDB's out of the data directory.",
    )
}
