//! What an alarm does to this server.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use crate::admin::durable::remove_durably;
use crate::admin::key_destruction::{
    destroy_keys, destroy_pepper, doubt_sticks, end_starts_in_turn,
};
use crate::admin::mariadb::enable::{RunInAnAlarm, end_decryption_in_an_alarm};
use crate::admin::mariadb::stop::stop_mariadb;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::open_vault::{open_vault, open_vault_read_only};
use crate::admin::problem::Result as CommandResult;
use crate::release::{self, Turn, no_start};
use crate::stick::{PluggedKeys, StickId};
use crate::sys::clock;
use crate::vault::{Destroyed, EventKind};

use super::progress::Progress;
use super::{Actions, CAUSE, SticksSeen, WipedAgain};

/// Where the progress of the response is kept, in memory.
const PROGRESS: &str = "/run/stayput-alarm.json";
/// Another command may just be removing keys behind the mark that is to end.
const TURN_WAITS: Duration = Duration::from_secs(2);

const UNKNOWN_RUN: &str = "the journal of a run of `stayput mariadb` cannot be read: a clear copy \
                           of the database may be on the disk, and stays there";

/// Whether an alarm stops MariaDB: where it depends on the keys, and where a clear one may
/// serve, or nobody can tell.
fn is_stopped(run: &CommandResult<RunInAnAlarm>, is_enabled: bool) -> bool {
    is_enabled || !matches!(run, Ok(RunInAnAlarm::Nothing))
}

/// This server.
#[derive(Default)]
pub struct Server {
    /// Its keys on the sticks that were seen last.
    plugged: PluggedKeys,
}

impl Actions for Server {
    /// Trusts the unproven list of sticks: whoever wrote a wrong one could destroy the
    /// pepper as well.
    fn see_sticks(&mut self) -> Result<SticksSeen, String> {
        let vault = open_vault_read_only().map_err(|problem| problem.what)?;
        let was_reset = match vault.slots() {
            Ok(_) => false,
            Err(error) if error.may_be_a_reset() => true,
            // It may answer at the next try.
            Err(error) => return Err(error.to_string()),
        };
        let listed = vault.listed_sticks().map_err(|error| error.to_string())?;
        let (ways, generation) = (
            vault.unproven_ways().unwrap_or_default(),
            vault.header().generation,
        );
        let listed = listed.as_claimed().clone();
        self.plugged = PluggedKeys::beside(&vault);
        Ok(SticksSeen {
            listed: listed.backed_by(ways.as_claimed(), generation),
            generation,
            plugged: self.plugged.ids(),
            was_reset,
        })
    }

    fn destroy_pepper(&mut self) -> Result<(Destroyed, Vec<StickId>), String> {
        let done = destroy_keys(CAUSE, &self.plugged, true);
        for device in &done.wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
        if let Err(error) = done.doubted {
            log::error!("a stick that was wiped may still count as verified: {error}");
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

    fn wipe_sticks(&mut self, ids: &[StickId]) -> WipedAgain {
        let plugged = std::mem::take(&mut self.plugged).only_these(ids);
        // Its owner may have seen one of them open the server meanwhile.
        if let Err(error) = doubt_sticks() {
            log::error!("sticks are not wiped: {error}");
            return WipedAgain {
                wiped: 0,
                unwiped: ids.to_vec(),
            };
        }
        let wiped = plugged.wipe();
        for device in &wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
        WipedAgain {
            wiped: wiped.wiped,
            unwiped: plugged.unwiped(&wiped),
        }
    }

    fn hold_starts(&mut self) -> Result<(), String> {
        no_start::forbid().map_err(|error| error.to_string())
    }

    fn are_starts_held(&self) -> bool {
        no_start::is_forbidden()
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
        // Its private servers have the keys, and write rows in the clear; and it may just be
        // starting MariaDB with them. After a run that was cut no gate may be in front.
        let run = end_decryption_in_an_alarm();
        match &run {
            Ok(RunInAnAlarm::Nothing) => {}
            Ok(RunInAnAlarm::Ended) => {
                log::warn!("a run that makes the database clear is ended, or settled");
            }
            Ok(RunInAnAlarm::Unknown) => log::error!("{UNKNOWN_RUN}"),
            Err(problem) => log::error!("{}", problem.what),
        }
        if !is_stopped(&run, is_enabled()) {
            return Ok(());
        }
        let stopped = stop_mariadb();
        if stopped.is_ok() {
            log::warn!("MariaDB is stopped");
        }
        stopped.and(run).map(drop).map_err(|problem| problem.what)
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
            None => remove_durably(path).map(drop),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Problem;

    #[test]
    fn a_database_that_may_be_clear_is_stopped_in_an_alarm() {
        use RunInAnAlarm::{Ended, Nothing, Unknown};
        let is_stopped = |run: RunInAnAlarm| [true, false].map(|is| is_stopped(&Ok(run), is));
        assert_eq!(is_stopped(Nothing), [true, false]);
        assert_eq!(is_stopped(Ended), [true, true]);
        assert_eq!(is_stopped(Unknown), [true, true]);
        let failed = Err(Problem::failed("systemd does not answer", ""));
        assert!(super::is_stopped(&failed, true) && super::is_stopped(&failed, false));
    }
}
