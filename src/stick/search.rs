//! Looking for this server's keys on the sticks that are plugged in, for a
//! command: all of them at once.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::hearing::{ANSWERS_WITHIN, Reading};
use super::{PluggedKeys, plugged_in};
use crate::sys::child::wait_for;
use crate::sys::sysfs::Name;
use crate::vault::{Header, Vault, locate::VaultDisk};

/// What a search needs to know of a vault, which may be closed meanwhile.
pub struct Beside {
    header: Header,
    disk: Name,
}

impl Beside {
    /// Every stick but the disk that this vault is on.
    pub fn of(vault: &Vault<VaultDisk>) -> Self {
        Self {
            header: vault.header().clone(),
            disk: vault.disk().clone(),
        }
    }

    /// Looks at them; returns after [`ANSWERS_WITHIN`] at the latest.
    pub fn keys(&self) -> PluggedKeys {
        self.keys_within(ANSWERS_WITHIN)
    }

    fn keys_within(&self, limit: Duration) -> PluggedKeys {
        let sticks = plugged_in().into_iter();
        let mut reading: Vec<_> = sticks
            .filter(|stick| stick.disk != self.disk)
            .map(|stick| (Reading::begin(&stick, &self.header).ok(), stick))
            .collect();
        let until = Instant::now() + limit;
        let mut found = PluggedKeys::default();
        loop {
            reading.retain_mut(|(reading, _)| {
                // Each volume may have one.
                while let Some(said) = reading.as_mut().and_then(Reading::go_on) {
                    match said {
                        Ok(key) => found.add(&key.volume, &key.file.info),
                        Err(_) => return false,
                    }
                }
                true
            });
            let waiting = reading.iter().filter_map(|(reading, _)| reading.as_ref());
            if !wait_for(waiting.map(Reading::as_fd), until) {
                break;
            }
        }
        for (_, stick) in reading {
            found.add_silent(&stick);
        }
        found
    }
}

impl PluggedKeys {
    /// Looks at every stick but the disk that this vault is on; returns after
    /// [`ANSWERS_WITHIN`] at the latest.
    pub fn beside(vault: &Vault<VaultDisk>) -> Self {
        Beside::of(vault).keys()
    }

    /// Looks as [`PluggedKeys::beside`] does, and waits for so long at most.
    pub fn found_within(limit: Duration, vault: &Vault<VaultDisk>) -> Self {
        Beside::of(vault).keys_within(limit)
    }

    /// These keys, each on the volume where `now` has found it: a stick that is pulled out
    /// and put back may have another name. One that is not there any more keeps its name;
    /// who wipes it finds that out.
    pub fn where_they_sit(mut self, now: &Self) -> Self {
        for (volume, info) in &mut self.keys {
            let mut same = now
                .keys
                .iter()
                .filter(|(_, other)| other.stick_id == info.stick_id);
            if same.clone().all(|(there, _)| there != volume)
                && let Some((there, _)) = same.next()
            {
                volume.clone_from(there);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stick::StickInfo;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_stick_is_known_again_wherever_it_sits() {
        let sticks = |keys: &[(&str, u8)]| {
            let mut sticks = PluggedKeys::default();
            for (volume, id) in keys {
                sticks.add(Path::new(volume), &StickInfo::example([*id; 8]));
            }
            sticks
        };
        let volumes = |named: &[(&str, u8)], now: &[(&str, u8)]| {
            let sitting = sticks(named).where_they_sit(&sticks(now));
            sitting.volumes().cloned().collect::<Vec<_>>()
        };
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let named = [("/dev/sdb1", 1), ("/dev/sdc1", 2)];
        assert_eq!(volumes(&named, &named), paths(&["/dev/sdb1", "/dev/sdc1"]));
        // Swapped; and one that is new is not named.
        let now = [("/dev/sdc1", 1), ("/dev/sdb1", 2), ("/dev/sdd1", 3)];
        assert_eq!(volumes(&named, &now), paths(&["/dev/sdc1", "/dev/sdb1"]));
        // Gone, and another one in its place.
        let now = [("/dev/sdb1", 3), ("/dev/sdc1", 2)];
        assert_eq!(volumes(&named, &now), paths(&["/dev/sdb1", "/dev/sdc1"]));
        assert_eq!(volumes(&named, &[]), paths(&["/dev/sdb1", "/dev/sdc1"]));
    }
}
