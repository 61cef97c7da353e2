//! Keys in swap are keys on the disk. mariadbd does not lock its memory, so
//! whatever writes memory to a disk in clear has to go: swap, hibernation,
//! crash dumps. This module finds them and is pure; [`change`] ends them.

mod change;
mod configured;
mod device;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::admin::problem::{Problem, Result};

pub use change::{SwapChoice, apply};

/// One way in which memory gets onto a disk in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Danger {
    /// In use now.
    Swap(PathBuf),
    /// Swap in memory that is written out to a disk.
    Writeback { zram: PathBuf, device: PathBuf },
    /// From the next start on: fstab or a unit of systemd, and what it names.
    Configured { file: PathBuf, names: String },
    /// From the next start on: where zram is told to write to a disk.
    ConfiguredWriteback { file: PathBuf, names: String },
    /// A resume device is set: on the kernel's command line, or in a file.
    Hibernation(PathBuf),
    /// A crashed kernel's memory would be saved.
    Kdump(PathBuf),
}

/// The system that is examined, by the root of its files.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
}

impl System {
    /// This system.
    pub fn here() -> Self {
        Self { root: "/".into() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn text(&self, path: &str) -> String {
        // A file that is missing counts as empty; a name that is no text hides no line.
        let bytes = fs::read(self.at(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything that stands in the way.
    pub fn dangers(&self) -> Vec<Danger> {
        let active = self.active().into_iter();
        let mut found: Vec<Danger> = active
            .map(|path| match self.written_back(&path) {
                Some(device) => Danger::Writeback { zram: path, device },
                None => Danger::Swap(path),
            })
            .collect();
        found.extend(self.configured());
        found.extend(self.hibernation());
        found.extend(self.kdump());
        found
    }

    /// Swap in use that is neither in memory nor encrypted.
    pub fn active(&self) -> Vec<PathBuf> {
        let swaps = self.text("/proc/swaps");
        let paths = swaps
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next());
        paths
            .map(unescaped)
            .filter(|path| !self.is_safe(path))
            .map(PathBuf::from)
            .collect()
    }

    fn hibernation(&self) -> Option<Danger> {
        let cmdline = self.text("/proc/cmdline");
        let words: Vec<&str> = cmdline.split_whitespace().collect();
        let on_cmdline = words
            .iter()
            .filter_map(|word| word.strip_prefix("resume="))
            .any(|device| !device.is_empty() && !self.is_safe(device));
        if on_cmdline && !words.contains(&"noresume") {
            return Some(Danger::Hibernation("/proc/cmdline".into()));
        }
        let file = "/etc/initramfs-tools/conf.d/resume";
        let device = self
            .text(file)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("RESUME="))
            .map(|device| device.trim_matches(['"', '\'']).to_owned())
            .next_back()?;
        let none = ["", "none", "auto"].contains(&&*device) || self.is_safe(&device);
        (!none).then(|| Danger::Hibernation(file.into()))
    }

    fn kdump(&self) -> Option<Danger> {
        let found = |file: &str, here: bool| here.then(|| Danger::Kdump(file.into()));
        let loaded = self.text("/sys/kernel/kexec_crash_loaded").trim() == "1";
        let tools = self
            .text("/etc/default/kdump-tools")
            .lines()
            .any(|line| line.trim().replace(['"', '\''], "") == "USE_KDUMP=1");
        found("/sys/kernel/kexec_crash_loaded", loaded).or(found("/etc/default/kdump-tools", tools))
    }
}

/// The kernel, and fstab with it, writes blanks and the like as \040.
fn unescaped(text: &str) -> String {
    let mut plain = Vec::new();
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let digits = rest.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal.filter(|_| *first == b'\\') {
            Some(byte) => {
                plain.push(byte);
                bytes = &rest[3..];
            }
            None => {
                plain.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The devices that fstab swaps to.
fn fstab_swaps(fstab: &str) -> impl Iterator<Item = &str> {
    fstab.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let device = fields.next().filter(|field| !field.starts_with('#'))?;
        (fields.nth(1)? == "swap").then_some(device)
    })
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Swap(path) => write!(f, "swap on {} is not encrypted", path.display()),
            Self::Writeback { zram, device } => write!(
                f,
                "swap on {} is written out to {}, not encrypted",
                zram.display(),
                device.display()
            ),
            Self::ConfiguredWriteback { file, names } => {
                write!(
                    f,
                    "{} has zram written out to {names}, not encrypted",
                    file.display()
                )
            }
            Self::Configured { file, names } => {
                write!(f, "{} swaps to {names}, not encrypted", file.display())
            }
            Self::Hibernation(place) => {
                write!(f, "hibernation is set up in {}", place.display())
            }
            Self::Kdump(place) => write!(f, "crash dumps are set up ({})", place.display()),
        }
    }
}

impl Danger {
    /// What to do about it, in one line.
    pub fn next(&self) -> &'static str {
        match self {
            Self::ConfiguredWriteback { .. } => {
                "Take the disk (writeback-device=, backing_dev) out of that file."
            }
            Self::Configured { file, .. } if file != Path::new("/etc/fstab") => {
                "Remove that file, or `systemctl mask` the unit where a package brings it."
            }
            Self::Swap(_) | Self::Writeback { .. } | Self::Configured { .. } => {
                "Add --swap off, --swap random-key or --swap zram: it does what is needed."
            }
            Self::Hibernation(place) if place == Path::new("/proc/cmdline") => {
                "Take resume= out of /etc/default/grub, run `update-grub` and restart."
            }
            Self::Hibernation(_) => "Add --swap off, --swap random-key or --swap zram.",
            Self::Kdump(_) => {
                "Remove it: `apt-get purge kdump-tools`, take crashkernel= out of \
                 /etc/default/grub, run `update-grub` and restart."
            }
        }
    }
}

/// # Errors
/// When memory can get to a disk in clear.
pub fn refuse_clear_memory(system: &System) -> Result<()> {
    let dangers = system.dangers();
    let Some(first) = dangers.first() else {
        return Ok(());
    };
    let all: Vec<String> = dangers.iter().map(ToString::to_string).collect();
    Err(Problem::refused(
        format!(
            "MariaDB's keys could get onto the disk: {}. Nothing was changed.",
            all.join("; ")
        ),
        first.next(),
    ))
}

#[cfg(test)]
mod tests;
