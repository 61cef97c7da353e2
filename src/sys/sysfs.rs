//! Small files and directories of /sys and /proc, read with bounds.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use heapless::{String, Vec};

/// Entries of one directory that are looked at, at most.
const MAX_ENTRIES: usize = 256;

/// Up to `N` bytes of a file; `None` when it cannot be read or is longer.
pub fn read_bytes<const N: usize>(path: &Path) -> Option<Vec<u8, N>> {
    let (bytes, more) = read_start(path)?;
    more.is_empty().then_some(bytes)
}

/// A file's text without white space and NUL bytes at its ends; `None` when
/// it cannot be read, is longer than `N` bytes and a newline, empty, or not
/// UTF-8.
pub fn read_text<const N: usize>(path: &Path) -> Option<String<N>> {
    let (bytes, more) = read_start::<N>(path)?;
    if !(more.is_empty() || more == b"\n") {
        return None;
    }
    let text = core::str::from_utf8(&bytes).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return None;
    }
    text.try_into().ok()
}

/// The first `N` bytes of a file, and up to two more.
fn read_start<const N: usize>(path: &Path) -> Option<(Vec<u8, N>, Vec<u8, 2>)> {
    let mut file = File::open(path).ok()?;
    Some((fill(&mut file)?, fill(&mut file)?))
}

fn fill<const N: usize>(file: &mut File) -> Option<Vec<u8, N>> {
    let mut bytes = Vec::new();
    bytes.resize(N, 0).ok()?;
    let mut length = 0;
    while length < N {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(length);
    Some(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_exactly_the_length_is_read_whatever_newline_follows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("address");
        let read = |content: &str| {
            std::fs::write(&path, content).unwrap();
            let bytes = read_bytes::<17>(&path).map(|bytes| bytes.len());
            (read_text::<17>(&path), bytes)
        };
        let mac: String<17> = "00:1b:21:0a:0b:0c".try_into().unwrap();
        assert_eq!(read(&mac), (Some(mac.clone()), Some(17)));
        assert_eq!(read(&format!("{mac}\n")), (Some(mac.clone()), None));
        assert_eq!(read(&format!("{mac}\n\n")), (None, None));
        assert_eq!(read(&format!("{mac}:0d\n")), (None, None));
        assert_eq!(read("\n"), (None, Some(1)));
    }
}
