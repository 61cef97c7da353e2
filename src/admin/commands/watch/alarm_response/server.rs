//! What an alarm does to this server.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::admin::durable::remove_durably;
use crate::admin::key_destruction::{destroy_keys, in_words, take_keys};
use crate::admin::mariadb::enable::RunInAnAlarm;
use crate::admin::mariadb::stop::STOP;
use crate::release::{self, Turn, no_start};
use crate::stick::{PluggedKeys, StickId};
use crate::vault::{Destroyed, EventKind};

use super::at_the_disk::{
    ADD_TO_LOG, Answer, DESTROY_REST, Database, END_RUN, IS_ARMED, SEE_STICKS, WIPE_STICKS,
};
use super::errand::Errand;
use super::progress::Progress;
use super::{Actions, CAUSE, NotReset, SticksSeen, WipedAgain};

/// Where the progress of the response is kept, in memory.
const PROGRESS: &str = "/run/stayput-alarm.json";
/// Another command may just be removing keys behind the mark that is to end.
const TURN_WAITS: Duration = Duration::from_secs(2);

/// How long a disk is waited for, sticks included. The keys in memory and MariaDB come next,
/// whatever it does.
const DISK_ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// How long MariaDB is waited for. systemd goes on with what it was told.
const STOPS_WITHIN: Duration = Duration::from_mins(2);

const UNKNOWN_RUN: &str = "the journal of a run of `stayput mariadb` cannot be read: a clear copy \
                           of the database may be on the disk, and stays there";

/// Whether an alarm stops MariaDB: where it depends on the keys, and where a clear one may
/// serve, or nobody can tell.
fn is_stopped(database: &Database) -> bool {
    database.is_enabled || !matches!(database.run, Ok(RunInAnAlarm::Nothing))
}

/// This server.
#[derive(Default)]
pub struct Server {
    /// Its keys on the sticks that were seen last.
    plugged: PluggedKeys,
    /// At the disk with the vault.
    vault: Errand,
    /// At the disk with the database.
    run: Errand,
    /// With systemd.
    stop: Errand,
}

/// As a word of a child.
fn word(value: &impl Serialize) -> Answer<String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

impl Actions for Server {
    fn see_sticks(&mut self) -> Result<SticksSeen, String> {
        let seen = self.vault.run(DISK_ANSWERS_WITHIN, &SEE_STICKS, &[])??;
        self.plugged = seen.plugged;
        Ok(seen.seen)
    }

    fn destroy_pepper(&mut self) -> Result<(Destroyed, Vec<StickId>), NotReset> {
        self.vault.is_free().map_err(NotReset::AsItWas)?;
        let done = destroy_keys(DISK_ANSWERS_WITHIN, CAUSE, &self.plugged);
        let done = done.map_err(|none| NotReset::NotKnown(self.vault.leave(none)))?;
        for device in &done.wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
        if let Err(error) = done.doubted {
            log::error!("a stick that was wiped may still count as verified: {error}");
        }
        let unwiped = self.plugged.unwiped(&done.wiped);
        let destroyed = done.destroyed.map_err(NotReset::AsItWas)?;
        Ok((destroyed, unwiped))
    }

    fn is_armed(&mut self) -> Result<bool, String> {
        self.vault.run(DISK_ANSWERS_WITHIN, &IS_ARMED, &[])?
    }

    fn destroy_rest(&mut self) -> Result<Destroyed, String> {
        self.vault.run(DISK_ANSWERS_WITHIN, &DESTROY_REST, &[])?
    }

    fn wipe_sticks(&mut self, ids: &[StickId]) -> WipedAgain {
        let plugged = std::mem::take(&mut self.plugged).only_these(ids);
        let wiped = word(&plugged).and_then(|word| {
            self.vault
                .run(DISK_ANSWERS_WITHIN, &WIPE_STICKS, &in_words(&word))?
        });
        let wiped = match wiped {
            Ok(wiped) => wiped,
            Err(error) => {
                log::error!("sticks are not wiped: {error}");
                return WipedAgain {
                    wiped: 0,
                    unwiped: ids.to_vec(),
                };
            }
        };
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
        take_keys(|why| log::error!("a start of MariaDB was not ended: {why}"));
        match release::is_open() {
            true => Err("the filesystem in memory is still mounted".into()),
            false => Ok(()),
        }
    }

    fn stop_database(&mut self) -> Result<(), String> {
        // Its private servers have the keys, and write rows in the clear; and it may just be
        // starting MariaDB with them. After a run that was cut no gate may be in front.
        let database = self.run.run(DISK_ANSWERS_WITHIN, &END_RUN, &[]);
        let database = database.unwrap_or_else(|why| Database {
            run: Err(format!(
                "a run that makes the database clear is not ended: {why}"
            )),
            is_enabled: true,
        });
        match &database.run {
            Ok(RunInAnAlarm::Nothing) => {}
            Ok(RunInAnAlarm::Ended) => {
                log::warn!("a run that makes the database clear is ended, or settled");
            }
            Ok(RunInAnAlarm::Unknown) => log::error!("{UNKNOWN_RUN}"),
            Err(problem) => log::error!("{problem}"),
        }
        if !is_stopped(&database) {
            return Ok(());
        }
        self.stop
            .run(STOPS_WITHIN, &STOP, &[])?
            .map_err(|(what, _)| what)?;
        log::warn!("MariaDB is stopped");
        database.run.map(drop)
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
        let event = word(event)?;
        self.vault
            .run(DISK_ANSWERS_WITHIN, &ADD_TO_LOG, &[&event])?
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

    #[test]
    fn a_database_that_may_be_clear_is_stopped_in_an_alarm() {
        use RunInAnAlarm::{Ended, Nothing, Unknown};
        let is_stopped = |run: &Answer<RunInAnAlarm>| {
            [true, false].map(|is_enabled| {
                is_stopped(&Database {
                    run: run.clone(),
                    is_enabled,
                })
            })
        };
        assert_eq!(is_stopped(&Ok(Nothing)), [true, false]);
        assert_eq!(is_stopped(&Ok(Ended)), [true, true]);
        assert_eq!(is_stopped(&Ok(Unknown)), [true, true]);
        let failed = Err("systemd does not answer".into());
        assert_eq!(is_stopped(&failed), [true, true]);
    }
}
