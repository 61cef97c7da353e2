//! Searches what other programs have written on this disk.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::address_search::Needles;
use super::unpack::{BOUNDS, Unpacked, unpacker};

/// Folders with logs, leases and network settings. Memory (/run, /proc, /sys) is
/// left out: it does not survive a theft.
pub const FOLDERS: [&str; 10] = [
    "/var/log",
    "/var/lib/dhcp",
    "/var/lib/dhcpcd",
    "/var/lib/NetworkManager",
    "/var/lib/systemd",
    "/var/lib/misc",
    "/var/lib/arpwatch",
    "/var/lib/connman",
    "/etc",
    "/root",
];

/// Most files that are listed.
const MAX_LISTED: usize = 200;
/// Deepest nesting of folders that is searched.
const MAX_DEPTH: usize = 24;
/// Bytes between two reports of progress.
const TELL_EVERY: u64 = 256 * 1024 * 1024;

/// A file in which enrolled addresses stand.
pub struct Leak {
    /// As it was reached from the searched folder.
    pub path: PathBuf,
    /// For each address whether it stands in the file.
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
    /// Files that were searched.
    pub files: usize,
    /// Bytes that were searched, unpacked ones included.
    pub bytes: u64,
    /// Files that were not searched: unreadable, packed in an unknown format, or
    /// too large or too slow to unpack.
    pub unsearched: usize,
}

impl Scan {
    /// Searches these folders; links are not followed, and other filesystems
    /// are left alone where they are mounted within.
    pub fn of(folders: &[&Path], needles: &Needles, tell: &mut dyn FnMut(u64)) -> Self {
        let mut scan = Self::default();
        for folder in folders {
            if let Ok(meta) = fs::symlink_metadata(folder)
                && meta.is_dir()
            {
                scan.folder(folder, meta.dev(), 0, needles, tell);
            }
        }
        scan
    }

    fn folder(
        &mut self,
        folder: &Path,
        device: u64,
        depth: usize,
        needles: &Needles,
        tell: &mut dyn FnMut(u64),
    ) {
        let Ok(entries) = fs::read_dir(folder) else {
            self.unsearched += 1;
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Ok(meta) = fs::symlink_metadata(&path) else {
                continue;
            };
            if meta.is_dir() && (meta.dev() != device || depth == MAX_DEPTH) {
                self.unsearched += 1;
            } else if meta.is_dir() {
                self.folder(&path, device, depth + 1, needles, tell);
            } else if meta.is_file() {
                self.file(path, meta.len(), needles, tell);
            }
        }
    }

    fn file(&mut self, path: PathBuf, length: u64, needles: &Needles, tell: &mut dyn FnMut(u64)) {
        let bytes = &mut self.bytes;
        let mut progress = |read: usize| {
            let before = *bytes / TELL_EVERY;
            *bytes += read as u64;
            if *bytes / TELL_EVERY > before {
                tell(*bytes);
            }
        };
        let Some(found) = search(&path, length, needles, &mut progress) else {
            self.unsearched += 1;
            return;
        };
        self.files += 1;
        self.found.resize(found.len(), false);
        for (anywhere, here) in self.found.iter_mut().zip(&found) {
            *anywhere |= here;
        }
        if found.contains(&true) {
            self.leaking += 1;
            if self.leaks.len() < MAX_LISTED {
                self.leaks.push(Leak { path, found });
            }
        }
    }
}

/// Searches one file; `None` where that is not possible.
fn search(
    path: &Path,
    length: u64,
    needles: &Needles,
    progress: &mut dyn FnMut(usize),
) -> Option<Vec<bool>> {
    // It may have been replaced by a link or a pipe since it was looked at.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    match path.extension().and_then(|end| end.to_str()) {
        Some(end @ ("gz" | "xz" | "zst" | "bz2" | "lz4")) => {
            search_unpacked(&mut unpacker(end)?, file, needles, progress)
        }
        // As much as there was: a log may grow while it is read.
        _ => needles.search(&mut file.take(length), progress).ok(),
    }
}

/// Rotated logs are packed. What was found before a bound counts; a file
/// without findings must have been read to its end.
fn search_unpacked(
    unpacker: &mut Command,
    file: File,
    needles: &Needles,
    progress: &mut dyn FnMut(usize),
) -> Option<Vec<bool>> {
    let mut unpacked = Unpacked::begin(unpacker, file, BOUNDS)?;
    let found = needles.search(&mut unpacked, progress);
    let whole = unpacked.was_whole();
    found.ok().filter(|found| whole || found.contains(&true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const ROUTER: [u8; 6] = [0x00, 0x0d, 0xb9, 0x41, 0x7a, 0x01];
    const PRINTER: [u8; 6] = [0x3c, 0x2a, 0xf4, 0x05, 0x60, 0x03];

    fn scan(folder: &Path) -> Scan {
        Scan::of(&[folder], &Needles::new(&[ROUTER, PRINTER]), &mut |_| ())
    }

    #[test]
    fn a_lease_and_a_rotated_log_give_the_router_away() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        fs::create_dir(folder.join("dhcp")).unwrap();
        fs::write(folder.join("dhcp/leases"), "ethernet 00:0d:b9:41:7a:01;").unwrap();
        fs::write(folder.join("syslog.1"), "who has 192.168.1.1").unwrap();
        let packers = ["gzip", "xz", "zstd", "bzip2"];
        for (at, packer) in (2..).zip(packers) {
            let packed = folder.join(format!("syslog.{at}"));
            fs::write(&packed, "reply from 000D.B941.7A01").unwrap();
            let quiet = if packer == "zstd" { "--rm" } else { "-9" };
            let status = Command::new(packer)
                .args(["-q", quiet])
                .arg(&packed)
                .status();
            assert!(status.unwrap().success());
        }
        let found = scan(folder);
        assert_eq!(found.found, [true, false]);
        assert_eq!((found.files, found.leaking, found.unsearched), (6, 5, 0));
        let mut names: Vec<_> = found
            .leaks
            .iter()
            .map(|leak| leak.path.file_name().unwrap().to_str().unwrap())
            .collect();
        names.sort_unstable();
        let packed = ["syslog.2.gz", "syslog.3.xz", "syslog.4.zst", "syslog.5.bz2"];
        assert_eq!(names[0], "leases");
        assert_eq!(names[1..], packed);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_links_lead_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let folder = directory.path();
        fs::write(outside.path().join("log"), "00:0d:b9:41:7a:01").unwrap();
        symlink(outside.path(), folder.join("elsewhere")).unwrap();
        symlink(outside.path().join("log"), folder.join("log")).unwrap();
        fs::write(folder.join("old.xz"), "packed").unwrap();
        fs::write(folder.join("broken.gz"), "not packed").unwrap();
        fs::write(folder.join("old.lz4"), "nothing here unpacks it").unwrap();
        let found = scan(folder);
        assert_eq!((found.files, found.leaking, found.unsearched), (0, 0, 3));
        assert!(!found.found.contains(&true));
        assert_eq!(scan(&folder.join("absent")).files, 0);
    }
}
