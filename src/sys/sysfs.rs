//! Small files and directories of /sys and /proc, read with bounds.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use heapless::{String, Vec};

/// Entries of one directory that are looked at, at most.
const MAX_ENTRIES: usize = 256;

/// Up to `N` bytes of a file; `None` when it cannot be read or is longer.
pub fn read_bytes<const N: usize>(path: &Path) -> Option<Vec<u8, N>> {
    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    bytes.resize(N, 0).ok()?;
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    // A full buffer may have been too short.
    if length == N && file.read(&mut [0]).ok()? != 0 {
        return None;
    }
    bytes.truncate(length);
    Some(bytes)
}

/// A file's text without white space and NUL bytes at its ends; `None` when
/// it cannot be read, is longer than `N` bytes, empty, or not UTF-8.
pub fn read_text<const N: usize>(path: &Path) -> Option<String<N>> {
    let bytes = read_bytes::<N>(path)?;
    let text = core::str::from_utf8(&bytes).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return None;
    }
    text.try_into().ok()
}

/// Names in a directory, sorted; none when it cannot be read. Names that are
/// not UTF-8 or longer than 63 bytes are no kernel names and are left out.
pub fn list(path: &Path) -> std::vec::Vec<String<63>> {
    let Ok(entries) = fs::read_dir(path) else {
        return std::vec::Vec::new();
    };
    let mut names: std::vec::Vec<String<63>> = entries
        .take(MAX_ENTRIES)
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.try_into().ok())
        .collect();
    names.sort_unstable();
    names
}
