//! What tells sticks apart, for people: how large they are, who made them, what is on them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::filesystem::{Format, format_of};
use crate::printable::Printable;
use crate::stick::{Stick, plugged_in};
use crate::sys::mount::mounts_of;
use crate::sys::sysfs;

/// A volume of a stick that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickVolume {
    /// `/dev/...`.
    pub device: PathBuf,
    /// Of the volume, in bytes.
    bytes: u64,
    /// Of the stick, as it says itself; may be empty.
    maker: String,
    content: &'static str,
    /// What its filesystem is called.
    label: Option<String>,
    mounted: Vec<PathBuf>,
}

impl StickVolume {
    /// Whether somebody uses it at this moment.
    pub fn is_mounted(&self) -> bool {
        !self.mounted.is_empty()
    }

    /// In one line.
    pub fn in_words(&self) -> String {
        let mut words = vec![size_in_words(self.bytes)];
        words.extend((!self.maker.is_empty()).then(|| self.maker.clone()));
        words.push(self.content.into());
        let label = self.label.as_deref();
        words.extend(label.map(|label| format!("\"{}\"", Printable(label))));
        let points = self.mounted.iter().map(|point| point.to_string_lossy());
        words.extend(points.map(|point| format!("mounted at {}", Printable(&point))));
        format!("{}  {}", self.device.display(), words.join(", "))
    }
}

/// The volumes of all sticks that are plugged in.
pub fn plugged_volumes() -> Vec<StickVolume> {
    let mounts = mounts_of(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    let volumes = plugged_in().into_iter().flat_map(|stick| {
        let maker = maker_of(&stick);
        let volumes = stick.volumes.into_iter();
        volumes.map(move |device| (maker.clone(), device))
    });
    volumes
        .map(|(maker, device)| {
            let name = device.file_name().unwrap_or_default();
            let class = Path::new("/sys/class/block").join(name);
            let number = sysfs::read_text::<20>(&class.join("dev")).unwrap_or_default();
            let mounts = mounts.iter().filter(|mount| mount.device == *number);
            StickVolume {
                bytes: bytes_of(&class),
                maker,
                content: content_of(&device),
                label: label_of(&device),
                mounted: mounts.map(|mount| mount.point.clone()).collect(),
                device,
            }
        })
        .collect()
}

/// The size of a disk or partition by its folder in /sys, in bytes; 0 where it is not told.
pub fn bytes_of(class: &Path) -> u64 {
    let sectors = sysfs::read_text::<20>(&class.join("size"));
    // Of 512 bytes, whatever the disk's own are.
    sectors
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0)
        * 512
}

/// Who made a stick. It says of itself what it likes.
pub fn maker_of(stick: &Stick) -> String {
    let device = Path::new("/sys/block").join(&*stick.disk).join("device");
    let word = |file: &str| sysfs::read_text::<32>(&device.join(file));
    let maker = ["vendor", "model", "name"].into_iter().filter_map(word);
    let maker: Vec<String> = maker.map(|text| Printable(&text).to_string()).collect();
    maker.join(" ")
}

/// The filesystem on a volume, by its name.
pub fn content_of(volume: &Path) -> &'static str {
    match format_of(volume) {
        Ok(format) => format.title().unwrap_or(match format {
            Format::Empty => "empty",
            _ => "no known filesystem",
        }),
        Err(_) => "unreadable",
    }
}

/// As udev knows it.
fn label_of(volume: &Path) -> Option<String> {
    let links = fs::read_dir("/dev/disk/by-label").ok()?.flatten();
    let mut links = links.filter(|link| link.path().canonicalize().is_ok_and(|to| to == volume));
    Some(unescaped(links.next()?.file_name().to_str()?))
}

/// In the name of a link, udev writes blanks and other characters as `\xHH`.
fn unescaped(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = rest.strip_prefix(b"\\x").and_then(|digits| digits.get(..2));
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// As it stands on the stick: 64 GB is 64,000,000,000 bytes, or a little less.
pub fn size_in_words(bytes: u64) -> String {
    const MB: u64 = 1_000_000;
    match bytes >= 1000 * MB {
        true => format!("{} GB", (bytes + 500 * MB) / (1000 * MB)),
        false => format!("{} MB", (bytes + MB / 2) / MB),
    }
}

#[cfg(test)]
impl StickVolume {
    /// One of 8 GB with FAT.
    pub fn example(device: &str, mounted: &[&str]) -> Self {
        Self {
            device: device.into(),
            bytes: 8_000_000_000,
            maker: "SanDisk Cruzer".into(),
            content: "FAT",
            label: Some("ACCOUNTS\x1b[2J".into()),
            mounted: mounted.iter().map(PathBuf::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_says_what_tells_it_from_another_in_one_line() {
        let words = StickVolume::example("/dev/sdb1", &["/media/backup"]).in_words();
        let expected = "/dev/sdb1  8 GB, SanDisk Cruzer, FAT, \"ACCOUNTS\\u001b[2J\", mounted at \
                        /media/backup";
        assert_eq!(words, expected);
    }

    #[test]
    fn a_label_is_read_as_udev_writes_it() {
        assert_eq!(unescaped(r"My\x20stick\xc3\xa9é\x"), "My stickéé\\x");
    }
}
