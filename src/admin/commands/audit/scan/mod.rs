//! Searches what other programs have written on this disk.

mod content;
mod database_files;
mod format;
mod mounts;
mod not_searched;
mod tar;
#[cfg(test)]
mod tests;
mod unpack;
mod written_parts;
mod zip;

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::address_search::Needles;
use crate::sys::mount::{MountEntry, mounts_of};
use content::ContentSearch;
use database_files::is_written_encrypted;
use mounts::{Mounts, Storage};
pub use not_searched::NotSearched;
use unpack::Bounds;

/// Folders that people and programs write to, those with logs, leases and network
/// settings first: the time may end before all are searched.
pub const FOLDERS: [&str; 11] = [
    "/etc",
    "/root",
    "/var/log",
    "/var/backups",
    "/var/lib",
    "/var",
    "/tmp",
    "/usr/local",
    "/opt",
    "/srv",
    "/home",
];
/// What packages bring is the same everywhere. A link into it is not followed.
const FROM_PACKAGES: [&str; 4] = ["/usr", "/var/cache/apt", "/var/lib/apt", "/var/lib/dpkg"];
/// In it, but not from packages.
const LOCAL: &str = "/usr/local";

/// Most files that are listed, and most that are listed as not searched.
const MAX_LISTED: usize = 200;
/// Deepest nesting of folders that is searched.
const MAX_DEPTH: usize = 64;
/// Bytes between two reports of progress.
const TELL_EVERY: u64 = 256 * 1024 * 1024;
/// Most bytes that are unpacked of one file: logs are packed at some megabytes.
const MAX_UNPACKED: u64 = 1024 * 1024 * 1024;
/// Longest time for one file.
const FILE_TIME: Duration = Duration::from_secs(60);
/// Longest time for all.
const TIME: Duration = Duration::from_secs(600);

/// MariaDB's data directory. It is searched last: a large database would leave no time
/// for the rest.
pub struct DatabaseFolder {
    /// Where it is.
    pub path: PathBuf,
    /// MariaDB says that it writes nothing in the clear: only what it tells people there,
    /// its error log for one, is searched.
    pub is_encrypted: bool,
}

/// A file in which enrolled addresses stand, or whose name tells them.
pub struct Leak {
    /// Without links.
    pub path: PathBuf,
    /// For each address whether it stands there.
    pub found: Vec<bool>,
}

/// What was searched and found.
#[derive(Default)]
pub struct Scan {
    /// The first files with findings.
    pub leaks: Vec<Leak>,
    /// Number of all files with findings, listed or not.
    pub leaking: usize,
    /// For each address whether it stands anywhere.
    pub found: Vec<bool>,
    /// Files that were searched to their end.
    pub files: usize,
    /// Bytes that were searched, unpacked ones included.
    pub bytes: u64,
    /// Number of files and folders that were not searched, or not to their end.
    pub unsearched: usize,
    /// The first of these, and why.
    pub not_searched: Vec<(PathBuf, NotSearched)>,
}

impl Scan {
    /// Searches these folders and what links in them lead to. Other machines' disks
    /// are not touched.
    pub fn of(
        folders: &[&Path],
        database: Option<&DatabaseFolder>,
        needles: &Needles,
        tell: &mut dyn FnMut(u64),
    ) -> Self {
        let mounts = mounts_of(Path::new("/proc/self/mountinfo"));
        Self::within(mounts, folders, database, needles, tell)
    }

    fn within(
        mounts: io::Result<Vec<MountEntry>>,
        folders: &[&Path],
        database: Option<&DatabaseFolder>,
        needles: &Needles,
        tell: &mut dyn FnMut(u64),
    ) -> Self {
        let mut scan = Self::default();
        let Ok(mounts) = mounts.map(Mounts) else {
            for folder in folders {
                scan.miss(folder, NotSearched::MountsUnknown);
            }
            return scan;
        };
        let database_folder = database.and_then(|database| mounts.resolve(&database.path).ok()?);
        let mut walk = Walk {
            scan,
            needles,
            mounts,
            passed_by: database_folder,
            encrypted: None,
            seen: HashSet::new(),
            until: Instant::now() + TIME,
            tell,
        };
        folders.iter().for_each(|folder| walk.follow(folder, 0));
        if let Some(folder) = walk.passed_by.take() {
            let is_encrypted = database.is_some_and(|database| database.is_encrypted);
            walk.encrypted = is_encrypted.then(|| folder.clone());
            walk.follow(&folder, 0);
        }
        walk.scan
    }

    fn miss(&mut self, path: &Path, why: NotSearched) {
        self.unsearched += 1;
        if self.not_searched.len() < MAX_LISTED {
            self.not_searched.push((path.to_owned(), why));
        }
    }

    fn note(&mut self, path: &Path, found: Vec<bool>) {
        self.found.resize(found.len(), false);
        for (anywhere, here) in self.found.iter_mut().zip(&found) {
            *anywhere |= here;
        }
        if found.contains(&true) {
            self.leaking += 1;
            if self.leaks.len() < MAX_LISTED {
                let path = path.to_owned();
                self.leaks.push(Leak { path, found });
            }
        }
    }
}

/// A search on its way. Paths have no links in them.
struct Walk<'a> {
    scan: Scan,
    needles: &'a Needles,
    mounts: Mounts,
    /// A folder that is not gone into.
    passed_by: Option<PathBuf>,
    /// A folder whose tables are not read.
    encrypted: Option<PathBuf>,
    /// Device and number of every file and folder that was met: links can lead in
    /// circles.
    seen: HashSet<(u64, u64)>,
    until: Instant,
    tell: &'a mut dyn FnMut(u64),
}

impl Walk<'_> {
    /// Goes to where a path leads that may have links in it.
    fn follow(&mut self, path: &Path, depth: usize) {
        match self.mounts.resolve(path) {
            Ok(Some(path)) if !is_from_packages(&path) && self.is_on_disk(&path) => {
                match fs::symlink_metadata(&path) {
                    Ok(meta) if meta.is_dir() => self.folder(&path, depth),
                    Ok(meta) if meta.is_file() => self.file(&path),
                    Ok(_) => {}
                    Err(error) => self.failed(&path, &error),
                }
            }
            Ok(_) => {}
            Err(why) => self.scan.miss(path, why),
        }
    }

    /// Whether what stands at this path is to be searched. What is in memory is left
    /// out without a word.
    fn is_on_disk(&mut self, path: &Path) -> bool {
        let storage = self.mounts.storage_at(path);
        if storage == Storage::Elsewhere {
            self.scan.miss(path, NotSearched::Elsewhere);
        }
        storage == Storage::Disk
    }

    /// What has gone since it was seen is no failure.
    fn failed(&mut self, path: &Path, error: &std::io::Error) {
        if error.kind() != ErrorKind::NotFound {
            self.scan.miss(path, NotSearched::from(error));
        }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        if self.passed_by.as_deref() == Some(folder) || !self.is_on_disk(folder) {
            return;
        }
        match fs::symlink_metadata(folder) {
            Ok(meta) if self.seen.insert((meta.dev(), meta.ino())) => {}
            Ok(_) => return,
            Err(error) => return self.failed(folder, &error),
        }
        if depth > MAX_DEPTH {
            return self.scan.miss(folder, NotSearched::TooDeep);
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.failed(folder, &error),
        };
        for entry in entries {
            if Instant::now() >= self.until {
                return self.scan.miss(folder, NotSearched::NoTime);
            }
            let entry = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
            let (path, kind) = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.failed(folder, &error);
                    continue;
                }
            };
            if is_from_packages(&path) {
                continue;
            }
            if kind.is_dir() {
                self.name(&path, path.file_name().unwrap_or_default().as_bytes());
                self.folder(&path, depth + 1);
            } else if kind.is_file() {
                self.file(&path);
            } else if kind.is_symlink() {
                if let Ok(target) = fs::read_link(&path) {
                    self.name(&path, target.as_os_str().as_bytes());
                }
                self.follow(&path, depth + 1);
            }
        }
    }

    /// Searches a name that is no file's: files for one client are called by its
    /// address, as in pxelinux.cfg.
    fn name(&mut self, path: &Path, name: &[u8]) {
        let found = self.needles.within(name);
        if found.contains(&true) {
            self.scan.note(path, found);
        }
    }

    fn file(&mut self, path: &Path) {
        let is_below = |folder: &PathBuf| path.starts_with(folder);
        if self.encrypted.as_ref().is_some_and(is_below) && is_written_encrypted(path) {
            return;
        }
        // A file can be a mount point too.
        if !self.is_on_disk(path) {
            return;
        }
        // It may have been replaced by a link or a pipe since it was looked at.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path);
        let opened = opened.and_then(|file| Ok((file.metadata()?, file)));
        let (meta, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.failed(path, &error),
        };
        if !meta.is_file() || !self.seen.insert((meta.dev(), meta.ino())) {
            return;
        }
        let bytes = &mut self.scan.bytes;
        let mut progress = |read: usize| {
            let before = *bytes / TELL_EVERY;
            *bytes += read as u64;
            if *bytes / TELL_EVERY > before {
                (self.tell)(*bytes);
            }
        };
        let name = path.file_name().unwrap_or_default().as_bytes();
        let mut search = ContentSearch {
            needles: self.needles,
            found: self.needles.within(name),
            missed: None,
            bounds: Bounds {
                bytes: MAX_UNPACKED,
                until: self.until.min(Instant::now() + FILE_TIME),
            },
            progress: &mut progress,
        };
        search.file(file, meta.len(), name);
        let ContentSearch { found, missed, .. } = search;
        match missed {
            None => self.scan.files += 1,
            Some(why) => self.scan.miss(path, why),
        }
        self.scan.note(path, found);
    }
}

fn is_from_packages(path: &Path) -> bool {
    let is_below = FROM_PACKAGES.iter().any(|folder| path.starts_with(folder));
    is_below && !path.starts_with(LOCAL)
}
