//! Keys in swap are keys on the disk. mariadbd does not lock its memory, so
//! whatever writes memory to a disk in clear has to go: swap, hibernation,
//! crash dumps. Finding them is here, pure; ending them is in [`change`].

mod change;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::admin::{Problem, Result};

pub use change::{SwapChoice, apply};

/// One way in which memory gets to a disk in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Danger {
    /// In use now.
    Swap(PathBuf),
    /// From the next start on: fstab or a unit of systemd, and what it names.
    Configured { file: PathBuf, names: String },
    /// A resume device is set: on the kernel's command line, or in a file.
    Hibernation(PathBuf),
    /// A crashed kernel's memory would be saved.
    Kdump(PathBuf),
}

/// Where things are looked up; another root in tests.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
}

impl System {
    pub fn here() -> Self {
        Self { root: "/".into() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn text(&self, path: &str) -> String {
        // A file that is not there, or not readable as text, says nothing.
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// Everything that stands in the way.
    pub fn dangers(&self) -> Vec<Danger> {
        let mut found: Vec<Danger> = self.active().into_iter().map(Danger::Swap).collect();
        let fstab = self.text("/etc/fstab");
        let configured = fstab_swaps(&fstab).filter(|device| !self.is_safe(Path::new(device)));
        found.extend(configured.map(|device| Danger::Configured {
            file: "/etc/fstab".into(),
            names: device.to_owned(),
        }));
        found.extend(self.units());
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
        // The kernel writes blanks in paths as \040.
        paths
            .map(|path| PathBuf::from(path.replace("\\040", " ")))
            .filter(|path| !self.is_safe(path))
            .collect()
    }

    fn is_safe(&self, device: &Path) -> bool {
        let shown = device.to_string_lossy();
        if shown.starts_with("/dev/zram") {
            return true;
        }
        if let Some(name) = shown.strip_prefix("/dev/mapper/")
            && crypttab_random(&self.text("/etc/crypttab")).any(|random| random == name)
        {
            return true;
        }
        let real = fs::canonicalize(self.at(&shown)).unwrap_or_else(|_| device.to_owned());
        let name = real
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.is_encrypted(&name, 0)
    }

    /// Whether a block device lies on dm-crypt, itself or below.
    fn is_encrypted(&self, name: &str, depth: u8) -> bool {
        let block = format!("/sys/class/block/{name}");
        if self.text(&format!("{block}/dm/uuid")).starts_with("CRYPT-") {
            return true;
        }
        let Ok(below) = fs::read_dir(self.at(&format!("{block}/slaves"))) else {
            return false;
        };
        let below: Vec<String> = below
            .take(64)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        depth < 8
            && !below.is_empty()
            && below.iter().all(|name| self.is_encrypted(name, depth + 1))
    }

    fn units(&self) -> Vec<Danger> {
        let Ok(entries) = fs::read_dir(self.at("/etc/systemd/system")) else {
            return Vec::new();
        };
        let swaps = entries.take(10_000).filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let file = format!("/etc/systemd/system/{name}");
            let text = name.ends_with(".swap").then(|| self.text(&file))?;
            let device = text
                .lines()
                .find_map(|line| line.strip_prefix("What="))?
                .trim();
            (!self.is_safe(Path::new(device))).then(|| Danger::Configured {
                file: file.into(),
                names: device.to_owned(),
            })
        });
        swaps.collect()
    }

    fn hibernation(&self) -> Option<Danger> {
        let cmdline = self.text("/proc/cmdline");
        let words: Vec<&str> = cmdline.split_whitespace().collect();
        let on_cmdline = words
            .iter()
            .filter_map(|word| word.strip_prefix("resume="))
            .any(|device| !device.is_empty());
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
        let none = ["", "none", "auto"].contains(&&*device) || self.is_safe(Path::new(&device));
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

/// The devices that fstab swaps to.
fn fstab_swaps(fstab: &str) -> impl Iterator<Item = &str> {
    fstab.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let device = fields.next().filter(|field| !field.starts_with('#'))?;
        (fields.nth(1)? == "swap").then_some(device)
    })
}

/// The names that crypttab gives to devices with a key that nobody keeps.
fn crypttab_random(crypttab: &str) -> impl Iterator<Item = &str> {
    crypttab.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [name, _, "/dev/urandom" | "/dev/random", options] if !name.starts_with('#') => options
                .split(',')
                .any(|option| option == "swap")
                .then_some(name),
            _ => None,
        }
    })
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Swap(path) => write!(f, "swap on {} is not encrypted", path.display()),
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
            Self::Swap(_) | Self::Configured { .. } => {
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
