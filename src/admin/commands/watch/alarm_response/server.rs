//! What an alarm does to this server.

use crate::admin::key_destruction::{destroy_keys, destroy_pepper, end_starts_in_turn};
use crate::admin::mariadb::stop::stop_mariadb;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::open_vault::{open_vault, open_vault_read_only};
use crate::release;
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::WayBack;
use crate::vault::{Destroyed, EventKind};

use super::{Actions, CAUSE};

/// This server.
#[derive(Default)]
pub struct Server {
    /// Its keys on the sticks that were plugged in when the way back was looked for.
    plugged: PluggedKeys,
}

impl Actions for Server {
    /// Trusts the unproven list of sticks: whoever wrote a wrong one could destroy the
    /// pepper as well.
    fn find_way_back(&mut self) -> Result<WayBack, String> {
        let vault = open_vault().map_err(|problem| problem.what)?;
        let listed = vault.unproven_sticks().map_err(|error| error.to_string())?;
        self.plugged = PluggedKeys::beside(&vault);
        Ok(self.plugged.way_back(vault.header(), listed.as_claimed()))
    }

    fn destroy_pepper(&mut self) -> Result<Destroyed, String> {
        let done = destroy_keys(CAUSE, &self.plugged, true);
        for device in &done.wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
        done.destroyed.map_err(|error| error.to_string())
    }

    fn is_armed(&mut self) -> Result<bool, String> {
        let vault = open_vault_read_only().map_err(|problem| problem.what)?;
        let state = vault.state().map_err(|error| error.to_string())?;
        Ok(!state.is_reset())
    }

    fn destroy_rest(&mut self) -> Result<Destroyed, String> {
        destroy_pepper(CAUSE).map_err(|error| error.to_string())
    }

    fn take_keys(&mut self) -> Result<(), String> {
        let turn = end_starts_in_turn(|why| log::error!("a start of MariaDB was not ended: {why}"));
        release::revoke();
        drop(turn);
        match release::is_open() {
            true => Err("the filesystem in memory is still mounted".into()),
            false => Ok(()),
        }
    }

    fn stop_database(&mut self) -> Result<(), String> {
        if !is_enabled() {
            return Ok(());
        }
        stop_mariadb().map_err(|problem| problem.what)?;
        log::warn!("MariaDB is stopped");
        Ok(())
    }

    fn are_keys_released(&self) -> bool {
        release::is_open()
    }

    fn note(&mut self, event: &EventKind) -> Result<(), String> {
        append(event)
    }
}

/// Adds to the vault's log.
pub fn append(event: &EventKind) -> Result<(), String> {
    let mut vault = open_vault().map_err(|problem| problem.what)?;
    let appended = vault.append(clock::now(), clock::boot_id(), event.clone());
    appended.map(drop).map_err(|error| error.to_string())
}
