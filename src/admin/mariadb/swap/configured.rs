//! Swap that the next boot sets up: fstab, units of systemd, and settings that let
//! zram write to a disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Danger, System, fstab_swaps, unescaped};

/// Where systemd finds units, the first wins.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Where zram-generator finds its settings, the first wins.
const GENERATOR: [&str; 4] = [
    "/etc/systemd/zram-generator.conf",
    "/run/systemd/zram-generator.conf",
    "/usr/local/lib/systemd/zram-generator.conf",
    "/usr/lib/systemd/zram-generator.conf",
];

const RULES: [&str; 2] = ["/etc/udev/rules.d", "/usr/local/lib/udev/rules.d"];

/// Files of one directory that are looked at, at most.
const FILES_MAX: usize = 10_000;

impl System {
    /// The dangers of what will be set up at the next boot.
    pub(super) fn configured(&self) -> Vec<Danger> {
        let fstab = self.text("/etc/fstab");
        let clear = fstab_swaps(&fstab).filter(|device| !self.is_safe(&unescaped(device)));
        let mut found: Vec<Danger> = clear
            .map(|device| Danger::Configured {
                file: "/etc/fstab".into(),
                names: device.to_owned(),
            })
            .collect();
        found.extend(self.units());
        found.extend(self.generator());
        found.extend(self.rules());
        found
    }

    fn units(&self) -> Vec<Danger> {
        let mut known = BTreeSet::new();
        let mut found = Vec::new();
        for directory in UNITS {
            for name in self.files(directory) {
                let drop_ins = name.ends_with(".swap.d");
                // One of a name hides those of the directories behind it.
                let first = name.ends_with(".swap") && known.insert(name.clone());
                if !drop_ins && !first {
                    continue;
                }
                let file = format!("{directory}/{name}");
                let files = match drop_ins {
                    true => self.conf_files(&file),
                    false => vec![file],
                };
                for file in files {
                    for device in self.values(&file, "What") {
                        if !self.is_safe(&device) {
                            found.push(Danger::Configured {
                                file: file.clone().into(),
                                names: device,
                            });
                        }
                    }
                }
            }
        }
        found
    }

    fn generator(&self) -> Vec<Danger> {
        let main = GENERATOR.iter().find(|file| self.at(file).exists());
        let drop_ins = GENERATOR.iter().map(|file| format!("{file}.d"));
        let mut files: Vec<String> = main.iter().map(|file| (**file).to_owned()).collect();
        files.extend(drop_ins.flat_map(|directory| self.conf_files(&directory)));
        let mut found = Vec::new();
        for file in files {
            for device in self.values(&file, "writeback-device") {
                self.write_back(&file, device, &mut found);
            }
        }
        found
    }

    /// udev's rules set what a zram device writes to.
    fn rules(&self) -> Vec<Danger> {
        let mut found = Vec::new();
        for directory in RULES {
            let names = self.files(directory).into_iter();
            for name in names.filter(|name| name.ends_with(".rules")) {
                let file = format!("{directory}/{name}");
                let text = self.text(&file);
                let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
                let devices = lines.filter_map(|line| {
                    let value = line.split_once("{backing_dev}")?.1;
                    Some(value.split('"').nth(1)?.to_owned())
                });
                for device in devices {
                    self.write_back(&file, device, &mut found);
                }
            }
        }
        found
    }

    fn write_back(&self, file: &str, device: String, found: &mut Vec<Danger>) {
        if !["", "none"].contains(&&*device) && !self.is_safe(&device) {
            found.push(Danger::ConfiguredWriteback {
                file: file.into(),
                names: device,
            });
        }
    }

    /// The values of `name=` in a file like systemd's.
    fn values(&self, file: &str, name: &str) -> Vec<String> {
        let text = self.text(file);
        let values = text.lines().filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        });
        values.filter(|value| !value.is_empty()).collect()
    }

    fn conf_files(&self, directory: &str) -> Vec<String> {
        let names = self.files(directory).into_iter();
        let names = names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "conf"));
        names.map(|name| format!("{directory}/{name}")).collect()
    }

    fn files(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(directory)) else {
            return Vec::new();
        };
        let names = entries.take(FILES_MAX);
        let mut names: Vec<String> = names
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names
    }
}
