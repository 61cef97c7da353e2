//! Lists the data directory: files in the databases' directories one by one, any
//! other directory as a whole.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::admin::problem::{Problem, Result};
use crate::sys::beneath::{self, open_directory, open_root};

use super::{Entry, Kind, Known};

/// Most files that are listed.
const ENTRIES_MAX: usize = 1_000_000;
/// Deepest nesting of directories: each level holds a descriptor.
const DEPTH_MAX: usize = 64;

/// Everything in the data directory, sorted. Links are not followed.
///
/// # Errors
/// When it cannot be read, something is mounted in it, or there are more
/// files than anybody has.
pub fn list_entries(data: &Path, known: &Known) -> Result<Vec<Entry>> {
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
            let database = at.is_dir()
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

    /// Visits each name in a directory.
    fn each(
        &mut self,
        directory: &OwnedFd,
        path: &Path,
        mut look: impl FnMut(&mut Self, &OsStr, &Metadata) -> Result<()>,
    ) -> Result<()> {
        let names = beneath::names(directory, self.left)
            .map_err(|error| problem(path, error))?
            .ok_or_else(|| too_many(path))?;
        self.left -= names.len();
        for name in names {
            match beneath::metadata(directory, &name) {
                Ok(at) => look(self, &name, &at)?,
                // A running server removes its temporary files.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(problem(&path.join(name), error)),
            }
        }
        Ok(())
    }

    fn add(&mut self, parent: &OwnedFd, data: &Path, path: &Path, at: &Metadata) -> Result<()> {
        let (kind, bytes) = match at.file_type() {
            kind if kind.is_file() => (Kind::File, at.len()),
            kind if kind.is_dir() => {
                let full = data.join(path);
                let name = path.file_name().unwrap_or_default();
                let inside = open_directory(parent, name).map_err(|error| problem(&full, error))?;
                (Kind::Directory, self.bytes_in(&inside, &full, 0)?)
            }
            kind if kind.is_symlink() => (Kind::Link, 0),
            kind if kind.is_socket() => (Kind::Socket, 0),
            _ => (Kind::Special, 0),
        };
        self.entries.push(Entry {
            path: path.to_owned(),
            kind,
            bytes,
            links: at.nlink(),
        });
        Ok(())
    }

    fn bytes_in(&mut self, directory: &OwnedFd, path: &Path, depth: usize) -> Result<u64> {
        if depth == DEPTH_MAX {
            return Err(too_many(path));
        }
        let mut bytes = 0;
        self.each(directory, path, |listing, name, at| {
            if at.is_dir() {
                let below = path.join(name);
                let inside =
                    open_directory(directory, name).map_err(|error| problem(&below, error))?;
                bytes += listing.bytes_in(&inside, &below, depth + 1)?;
            } else if at.is_file() {
                bytes += at.len();
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}

fn problem(path: &Path, error: impl Into<io::Error>) -> Problem {
    let error = error.into();
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::CrossesDevices => Problem::refused(
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
