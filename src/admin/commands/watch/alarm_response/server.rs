//! What an alarm does to this server.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use crate::admin::key_destruction::{destroy_keys, destroy_pepper, end_starts_in_turn};
use crate::admin::mariadb::stop::stop_mariadb;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::open_vault::{open_vault, open_vault_read_only};
use crate::release::{self, Turn, no_start};
use crate::stick::{PluggedKeys, UnwipedStick, plugged_in};
use crate::sys::clock;
use crate::theft::WayBack;
use crate::vault::{Destroyed, EventKind};

use super::progress::Progress;
use super::{Actions, CAUSE, WipedAgain};

/// Where the progress of the response is kept, in memory.
const PROGRESS: &str = "/run/stayput-alarm.json";
/// Another command may just be removing keys behind the mark that is to end.
const TURN_WAITS: Duration = Duration::from_secs(2);

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

    fn destroy_pepper(&mut self) -> Result<(Destroyed, Vec<UnwipedStick>), String> {
        let done = destroy_keys(CAUSE, &self.plugged, true);
        for device in &done.wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
        let unwiped = self.plugged.unwiped(&done.wiped);
        let destroyed = done.destroyed.map_err(|error| error.to_string())?;
        Ok((destroyed, unwiped))
    }

    fn is_armed(&mut self) -> Result<bool, String> {
        let vault = open_vault_read_only().map_err(|problem| problem.what)?;
        let state = vault.state().map_err(|error| error.to_string())?;
        Ok(!state.is_reset())
    }

    fn destroy_rest(&mut self) -> Result<Destroyed, String> {
        destroy_pepper(CAUSE).map_err(|error| error.to_string())
    }

    /// Spares the last way in: sticks may have been lost since.
    fn wipe_sticks(&mut self, left: &[UnwipedStick]) -> Result<WipedAgain, String> {
        let sticks = plugged_in();
        let mut left = left.to_vec();
        left.retain(|stick| stick.is_known(&sticks));
        let mut again = WipedAgain {
            wiped: 0,
            left,
            why: None,
        };
        if sticks.is_empty() {
            return Ok(again);
        }
        let vault = open_vault_read_only().map_err(|problem| problem.what)?;
        let listed = vault.unproven_sticks().map_err(|error| error.to_string())?;
        let back = PluggedKeys::beside(&vault).only_unwiped(&again.left, &sticks);
        if back.way_back(vault.header(), listed.as_claimed()) == WayBack::None {
            again.why = Some("no verified stick is listed but those that are plugged in".into());
            return Ok(again);
        }
        let wiped = back.wipe();
        again.wiped = wiped.wiped;
        again.why = wiped
            .unwiped
            .first()
            .map(|stick| format!("{} was not wiped", stick.display()));
        again.left = back.still_left(again.left, &wiped);
        Ok(again)
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

    /// One that waits for the place (stayput-release.service) may make a release then.
    fn end_hold(&mut self) -> Result<(), String> {
        let turn = Turn::take(TURN_WAITS).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => "another command is releasing or removing keys".into(),
            _ => error.to_string(),
        })?;
        no_start::allow(&turn);
        Ok(())
    }

    fn note(&mut self, event: &EventKind) -> Result<(), String> {
        let mut vault = open_vault().map_err(|problem| problem.what)?;
        let appended = vault.append(clock::now(), clock::boot_id(), event.clone());
        appended.map(drop).map_err(|error| error.to_string())
    }

    fn keep(&mut self, progress: Option<&Progress>) {
        let path = Path::new(PROGRESS);
        let kept = match progress {
            Some(progress) => progress.write(path),
            None => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        if let Err(error) = kept {
            log::error!("a watch that is started anew would not go on: {PROGRESS}: {error}");
        }
    }
}

/// What an earlier run of the watch has left.
pub fn kept() -> Option<Progress> {
    Progress::read(Path::new(PROGRESS))
}
