//! A directory whose files held rows in clear: overwritten, then removed.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use crate::printable::Printable;
use crate::sys::beneath::{self, open_directory, open_root};

use super::file::{PIECE, consume};

/// Files in one directory, at most.
const NAMES_MAX: usize = 10_000_000;
/// Directories within each other, at most: each one holds a descriptor.
const DEPTH_MAX: usize = 64;

/// What is told on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// So many bytes were overwritten.
    Overwritten(u64),
    /// The file has another name outside (a backup of hard links): it stays
    /// as it is, rows in clear included, and only this name goes. Told before
    /// the name goes: after a power cut nothing else knows of it. With its
    /// inode, by which the other name is found.
    OtherName(&'a Path, u64),
}

/// What became of a directory. Paths are relative to it.
#[derive(Debug, Default)]
pub struct Destroyed {
    /// Files that were overwritten and removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What [`Step::OtherName`] told.
    pub other_names: Vec<(PathBuf, u64)>,
    /// What could not be overwritten or removed, and why. It is still there.
    pub failed: Vec<(PathBuf, io::Error)>,
}

impl Destroyed {
    /// Nothing is left of the directory.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// What the person must know; empty where all went well.
    pub fn lines(&self) -> Vec<String> {
        const SHOWN: usize = 20;
        let mut lines = Vec::new();
        let mut add = |head: &str, named: Vec<String>, next: &str| {
            if named.is_empty() {
                return;
            }
            lines.push(head.to_owned());
            lines.extend(named.iter().take(SHOWN).map(|line| format!("  {line}")));
            if named.len() > SHOWN {
                lines.push(format!("  and {} more", named.len() - SHOWN));
            }
            lines.push(next.to_owned());
        };
        let names = self.other_names.iter();
        add(
            "These files were not overwritten: they have another name outside, as backups of \
             hard links (rsnapshot, cp -al) make it. Their rows can still be read there:",
            names
                .map(|(path, inode)| format!("{}: inode {inode}", shown(path)))
                .collect(),
            "`find MOUNTPOINT -xdev -inum INODE` finds the other name; destroy it there with \
             `shred -u`, or encrypt that backup.",
        );
        let failed = self.failed.iter();
        add(
            "These files could not be overwritten; they are still there, rows in clear included:",
            failed
                .map(|(path, error)| format!("{}: {error}", shown(path)))
                .collect(),
            "Is the disk failing? `dmesg` tells. It is tried again; a disk that is to leave the \
             house is destroyed or erased as a whole.",
        );
        lines
    }
}

/// A name comes from a disk: no control character of it reaches the terminal.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    Printable(&text).to_string()
}

/// Overwrites every file below `directory` and removes all of it. Run again,
/// it goes on where it was interrupted; without a directory there is nothing
/// to do. A file that cannot be overwritten stays and stops nothing else.
/// Clones on a copy-on-write filesystem (reflinks) cannot be seen.
///
/// # Errors
/// EXDEV when something is mounted in it or on it; then nothing was touched.
/// What the filesystem says where the directory itself cannot be read.
pub fn destroy(directory: &Path, progress: &mut dyn FnMut(Step<'_>)) -> io::Result<Destroyed> {
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // An empty parent is the working directory.
    let parent = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    let parent = match open_root(parent) {
        Err(Errno::ENOENT) => return Ok(Destroyed::default()),
        parent => parent?,
    };
    let root = match open_directory(&parent, name) {
        Err(Errno::ENOENT) => return Ok(Destroyed::default()),
        root => root?,
    };
    let mut names = HashMap::new();
    survey(&root, &mut names, 0)?;
    let mut run = Run {
        progress,
        names,
        zeroed: HashSet::new(),
        done: Destroyed::default(),
    };
    run.directory(&root, Path::new(""), 0);
    drop(root);
    if run.done.is_complete() {
        unlinkat(&parent, name, UnlinkatFlags::RemoveDir)?;
        fsync(&parent)?;
    }
    Ok(run.done)
}

/// Finds mounts before anything is touched, and counts the names that each
/// file with more than one has in here.
fn survey(directory: &OwnedFd, names: &mut HashMap<u64, u64>, depth: usize) -> io::Result<()> {
    if depth == DEPTH_MAX {
        return Err(Errno::ENAMETOOLONG.into());
    }
    for name in listed(directory)? {
        let at = beneath::metadata(directory, &name)?;
        if at.is_dir() {
            survey(&open_directory(directory, &name)?, names, depth + 1)?;
        } else if at.is_file() && at.nlink() > 1 {
            *names.entry(at.ino()).or_default() += 1;
        }
    }
    Ok(())
}

fn listed(directory: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    beneath::names(directory, NAMES_MAX)?.ok_or(Errno::EOVERFLOW)
}

struct Run<'a> {
    progress: &'a mut dyn FnMut(Step<'_>),
    /// Names in here of each file that has more than one, by inode; all are
    /// on one filesystem. Names that were removed are taken off.
    names: HashMap<u64, u64>,
    /// Inodes that were overwritten under another of their names.
    zeroed: HashSet<u64>,
    done: Destroyed,
}

impl Run<'_> {
    /// Empties a directory as far as that goes.
    fn directory(&mut self, directory: &OwnedFd, path: &Path, depth: usize) {
        let names = match listed(directory) {
            Ok(names) => names,
            Err(error) => return self.failed(path, error),
        };
        for name in names {
            let path = path.join(&name);
            if let Err(error) = self.entry(directory, &name, &path, depth) {
                self.failed(&path, error);
            }
        }
        if let Err(error) = fsync(directory) {
            self.failed(path, error);
        }
    }

    fn failed(&mut self, path: &Path, error: impl Into<io::Error>) {
        self.done.failed.push((path.to_owned(), error.into()));
    }

    fn entry(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        let at = beneath::metadata(parent, name)?;
        if at.is_file() {
            return self.file(parent, name, path, &at);
        }
        if !at.is_dir() {
            // Links are not followed; pipes, sockets and devices hold nothing.
            return Ok(unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?);
        }
        if depth == DEPTH_MAX {
            return Err(Errno::ENAMETOOLONG.into());
        }
        let before = self.done.failed.len();
        let inside = open_directory(parent, name)?;
        self.directory(&inside, path, depth + 1);
        // What is still in it has been told.
        if self.done.failed.len() == before {
            unlinkat(parent, name, UnlinkatFlags::RemoveDir)?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        before: &Metadata,
    ) -> io::Result<()> {
        // O_NONBLOCK: a pipe put in its place would hold this up for ever.
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK;
        let file = File::from(beneath::open(parent, name, flags)?);
        let at = file.metadata()?;
        if (at.dev(), at.ino()) != (before.dev(), before.ino()) {
            return Err(io::Error::other("it was replaced meanwhile"));
        }
        let inside = self.names.get(&at.ino()).copied().unwrap_or(1);
        if at.nlink() > inside {
            (self.progress)(Step::OtherName(path, at.ino()));
            self.done.other_names.push((path.to_owned(), at.ino()));
        } else if !self.zeroed.contains(&at.ino()) {
            let progress = &mut self.progress;
            let bytes = &mut self.done.bytes;
            consume(&file, PIECE, &mut |step| {
                *bytes += step;
                progress(Step::Overwritten(step));
            })?;
            self.zeroed.insert(at.ino());
        }
        unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?;
        if let Some(names) = self.names.get_mut(&at.ino()) {
            *names -= 1;
        }
        self.done.files += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
