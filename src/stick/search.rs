//! Looking for this server's keys on the sticks that are plugged in, for a
//! command: all of them at once.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::hearing::{ANSWERS_WITHIN, Reading, wait_for};
use super::{PluggedKeys, plugged_in};
use crate::vault::{Vault, locate::VaultDisk};

impl PluggedKeys {
    /// Looks at every stick but the disk that this vault is on; returns after
    /// [`ANSWERS_WITHIN`] at the latest.
    pub fn beside(vault: &Vault<VaultDisk>) -> Self {
        Self::found_within(ANSWERS_WITHIN, vault)
    }

    /// Looks as [`PluggedKeys::beside`] does, and waits for so long at most.
    pub fn found_within(limit: Duration, vault: &Vault<VaultDisk>) -> Self {
        let sticks = plugged_in().into_iter();
        let mut reading: Vec<_> = sticks
            .filter(|stick| stick.disk != *vault.disk())
            .map(|stick| (Reading::begin(&stick, vault.header()).ok(), stick))
            .collect();
        let until = Instant::now() + limit;
        let mut found = Self::default();
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
