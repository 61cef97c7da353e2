//! Whether what is written to a device or a file can be read on a disk.
//! Decided by what lies below it, as the kernel shows it in /sys.

use std::fs;
use std::path::{Path, PathBuf};

use super::{System, unescaped};

/// Devices on each other, at most.
const DEPTH_MAX: u8 = 16;
/// Devices side by side, at most.
const SIDE_BY_SIDE: usize = 64;

/// What cryptsetup calls its mappings that encrypt. It has others that do
/// not: INTEGRITY, VERITY, SUBDEV.
const ENCRYPTED: [&str; 7] = [
    "CRYPT-BITLK-",
    "CRYPT-FVAULT2-",
    "CRYPT-LOOPAES-",
    "CRYPT-LUKS1-",
    "CRYPT-LUKS2-",
    "CRYPT-PLAIN-",
    "CRYPT-TCRYPT-",
];

/// How fstab and systemd spell a device otherwise, and udev's links for it.
const SPELLINGS: [(&str, &str); 5] = [
    ("ID=", "/dev/disk/by-id"),
    ("LABEL=", "/dev/disk/by-label"),
    ("PARTLABEL=", "/dev/disk/by-partlabel"),
    ("PARTUUID=", "/dev/disk/by-partuuid"),
    ("UUID=", "/dev/disk/by-uuid"),
];

impl System {
    /// Whether swap that is spelled so stays in memory or is encrypted.
    pub(super) fn is_safe(&self, named: &str) -> bool {
        let path = spelled_out(named);
        let name = path.strip_prefix("/dev/mapper").ok();
        let random = name.and_then(Path::to_str).is_some_and(|name| {
            crypttab_random(&self.text("/etc/crypttab")).any(|random| random == name)
        });
        random || self.hides(&path, 0)
    }

    /// The disk that a zram device in use is written out to.
    pub(super) fn written_back(&self, path: &Path) -> Option<PathBuf> {
        let name = self.name_of(path);
        if !is_numbered(&name, "zram") {
            return None;
        }
        let device = self.text(&format!("/sys/class/block/{name}/backing_dev"));
        let device = device.trim();
        (!["", "none"].contains(&device)).then(|| device.into())
    }

    /// A device or a file.
    fn hides(&self, path: &Path, depth: u8) -> bool {
        if depth == DEPTH_MAX {
            return false;
        }
        match path.starts_with("/dev") {
            true => self.device_hides(&self.name_of(path), depth),
            false => self.filesystem_hides(path, depth),
        }
    }

    /// What the kernel calls a device, whatever link leads to it.
    fn name_of(&self, path: &Path) -> String {
        let real = fs::canonicalize(self.at(&path.to_string_lossy())).ok();
        // A label that nobody has may be any device's name.
        let own = || (path.parent() == Some(Path::new("/dev"))).then(|| path.to_owned());
        let real = real.or_else(own).unwrap_or_default();
        let name = real.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn device_hides(&self, name: &str, depth: u8) -> bool {
        if name.is_empty() {
            return false;
        }
        let block = format!("/sys/class/block/{name}");
        if is_numbered(name, "zram") {
            let below = self.written_back(&Path::new("/dev").join(name));
            return below.is_none_or(|device| self.hides(&device, depth + 1));
        }
        let uuid = self.text(&format!("{block}/dm/uuid"));
        if ENCRYPTED.iter().any(|kind| uuid.starts_with(kind)) {
            return true;
        }
        let file = self.text(&format!("{block}/loop/backing_file"));
        if !file.is_empty() {
            return self.hides(Path::new(file.trim_end_matches('\n')), depth + 1);
        }
        let below = self.names_in(&format!("{block}/slaves"));
        if !below.is_empty() {
            return depth < DEPTH_MAX
                && below.iter().all(|name| self.device_hides(name, depth + 1));
        }
        // A partition of something that lies on others itself.
        let whole = self
            .at(&format!("{block}/partition"))
            .exists()
            .then(|| fs::canonicalize(self.at(&block)).ok())
            .flatten()
            .and_then(|real| Some(real.parent()?.file_name()?.to_string_lossy().into_owned()));
        whole.is_some_and(|whole| depth < DEPTH_MAX && self.device_hides(&whole, depth + 1))
    }

    /// A file is as safe as the filesystem that it lies on.
    fn filesystem_hides(&self, file: &Path, depth: u8) -> bool {
        let mounts = self.text("/proc/self/mountinfo");
        let real = fs::canonicalize(self.at(&file.to_string_lossy())).ok();
        let root = fs::canonicalize(&self.root).ok();
        // Where it leads to over links, seen from the root.
        let real = real
            .as_deref()
            .zip(root.as_deref())
            .and_then(|(real, root)| real.strip_prefix(root).ok())
            .map_or_else(|| file.to_owned(), |inside| Path::new("/").join(inside));
        let Some(mount) = Mount::of(&mounts, &real) else {
            return false;
        };
        // btrfs has a number of its own, which is no device's.
        if mount.device.starts_with("0:") {
            let source = Path::new(&mount.source);
            return source.starts_with("/dev") && {
                let name = self.name_of(source);
                self.together(&name)
                    .iter()
                    .all(|name| self.device_hides(name, depth + 1))
            };
        }
        let event = self.text(&format!("/sys/dev/block/{}/uevent", mount.device));
        let name = event.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        name.is_some_and(|name| self.device_hides(name, depth + 1))
    }

    /// The devices that hold one btrfs together with this one.
    fn together(&self, name: &str) -> Vec<String> {
        let all = self.names_in("/sys/fs/btrfs").into_iter();
        let all = all.map(|uuid| self.names_in(&format!("/sys/fs/btrfs/{uuid}/devices")));
        let mut those = all.filter(|devices| devices.iter().any(|device| device == name));
        those.next().unwrap_or_else(|| vec![name.to_owned()])
    }

    fn names_in(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(directory)) else {
            return Vec::new();
        };
        let names = entries.take(SIDE_BY_SIDE);
        names
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }
}

/// A line of /proc/self/mountinfo.
struct Mount {
    /// Its number, MAJOR:MINOR.
    device: String,
    source: String,
}

impl Mount {
    /// The mount that a path lies on: the deepest one, of these the last.
    fn of(mountinfo: &str, path: &Path) -> Option<Self> {
        let mounts = mountinfo.lines().filter_map(|line| {
            let (place, about) = line.split_once(" - ")?;
            let mut place = place.split(' ').skip(2);
            let device = place.next()?.to_owned();
            let point = PathBuf::from(unescaped(place.nth(1)?));
            let source = unescaped(about.split(' ').nth(1)?);
            let depth = point.components().count();
            path.starts_with(&point)
                .then_some((depth, Self { device, source }))
        });
        // The last of those that are equally deep.
        mounts
            .max_by_key(|(depth, _)| *depth)
            .map(|(_, mount)| mount)
    }
}

/// The path of a device that may be spelled by what is on it.
fn spelled_out(named: &str) -> PathBuf {
    let links = SPELLINGS.iter().find_map(|(tag, links)| {
        let name = named.strip_prefix(tag)?.trim_matches('"');
        Some(Path::new(links).join(as_udev_writes(name)))
    });
    links.unwrap_or_else(|| named.into())
}

/// udev writes what could lead astray in a link's name as \x20.
fn as_udev_writes(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii();
    let letters = name.chars().map(|c| match plain(c) {
        true => c.to_string(),
        false => format!("\\x{:02x}", u32::from(c)),
    });
    letters.collect()
}

fn is_numbered(name: &str, head: &str) -> bool {
    name.strip_prefix(head)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The names that crypttab gives to devices with a key that nobody keeps.
fn crypttab_random(crypttab: &str) -> impl Iterator<Item = &str> {
    crypttab.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next().filter(|name| !name.starts_with('#'))?;
        let random = ["/dev/urandom", "/dev/random"].contains(&fields.nth(1)?);
        let swap = fields.next()?.split(',').any(|option| option == "swap");
        (random && swap).then_some(name)
    })
}
