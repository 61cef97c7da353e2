//! Reads small files and directories of /sys and /proc, with bounds.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use heapless::{String, Vec};

/// Entries of one directory that are read, at most.
const MAX_ENTRIES: usize = 1024;

/// A name that the kernel gives, for example of a disk.
pub type Name = String<63>;

/// Bytes of white space around a text that are read beyond its length.
const SLACK: usize = 8;

/// Reads a small file; `None` where it cannot be read or has more than `most`
/// bytes.
fn read_bounded(path: &Path, most: usize) -> Option<std::vec::Vec<u8>> {
    let mut bytes = std::vec::Vec::with_capacity(most + 1);
    let file = File::open(path).ok()?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= most).then_some(bytes)
}

/// Reads a file of `N` bytes at most; `None` where it cannot be read or is
/// longer.
pub fn read_bytes<const N: usize>(path: &Path) -> Option<Vec<u8, N>> {
    Vec::from_slice(&read_bounded(path, N)?).ok()
}

/// Reads a file's text without white space and NUL bytes at its ends; `None`
/// where it cannot be read, or the text is longer than `N` bytes, empty, or not
/// UTF-8.
pub fn read_text<const N: usize>(path: &Path) -> Option<String<N>> {
    let bytes = read_bounded(path, N + SLACK)?;
    let text = core::str::from_utf8(&bytes).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return None;
    }
    text.try_into().ok()
}

/// The names in a directory, sorted; none where it cannot be read. Names that
/// are not UTF-8 or longer than 63 bytes are left out: the kernel gives no such
/// names.
pub fn list(path: &Path) -> std::vec::Vec<Name> {
    let Ok(entries) = fs::read_dir(path) else {
        return std::vec::Vec::new();
    };
    let mut names: std::vec::Vec<Name> = entries
        .take(MAX_ENTRIES)
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.try_into().ok())
        .collect();
    names.sort_unstable();
    names
}

/// Whether a device's directory below /sys/devices is behind a USB bus, which is
/// `usb1` or another number.
pub fn is_on_usb(device: &Path) -> bool {
    let is_bus = |part: &OsStr| {
        let number = part.to_str().and_then(|part| part.strip_prefix("usb"));
        number
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    device.iter().any(is_bus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_told_from_what_a_board_calls_its_host() {
        let is_on_usb = |path: &str| is_on_usb(Path::new(path));
        let pi = "/sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.2/1-1.2:1.0/host0";
        assert!(is_on_usb(pi));
        assert!(!is_on_usb("/sys/devices/platform/usb2-sata/ata1/host0"));
        assert!(!is_on_usb("/sys/devices/platform/soc/3f980000.usb"));
        assert!(!is_on_usb("/sys/devices/platform/usb/host0"));
    }

    #[test]
    fn the_newline_at_the_end_does_not_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "00:1b:21:3a:4f:10\n").unwrap();
        let text = read_text::<17>(file.path());
        assert_eq!(text.as_deref(), Some("00:1b:21:3a:4f:10"));
        assert_eq!(read_text::<16>(file.path()), None);
        assert_eq!(read_bytes::<17>(file.path()), None);
        assert_eq!(read_bytes::<18>(file.path()).unwrap().len(), 18);
    }
}
