//! What the watch does after an alarm: the keys first, then what takes longer.

use std::process::Command;
use std::time::Duration;

use crate::admin::key_destruction::destroy_keys;
use crate::admin::mariadb_service::{end_starts, is_enabled, stop_mariadb};
use crate::admin::open_vault::open_vault;
use crate::admin::program;
use crate::admin::watch_service::Unfinished;
use crate::release::{self, no_start};
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::{Alarm, AlarmResponse, OnAlarm, ResetCause, WayBack, respond_to, retry_pause};
use crate::vault::locate::VaultDisk;
use crate::vault::{Destroyed, EventKind, Vault};

/// Most alarms that one run of the watch logs in the vault. The log is a ring:
/// somebody on the network who raises alarms again and again must not push
/// everything else out of it.
pub const NOTED: u32 = 32;

const CAUSE: ResetCause = ResetCause::Watch;

/// What an alarm does to this server. Each says why it was not done.
pub trait Actions {
    /// Destroys the pepper, and the keys on plugged sticks.
    fn destroy_pepper(&mut self) -> Result<(), String>;
    /// Lets no start of MariaDB begin, and ends one that is under way.
    fn end_starts(&mut self) -> Result<(), String>;
    /// Removes the keys from memory. A MariaDB that runs has read them already.
    fn take_keys(&mut self) -> Result<(), String>;
    /// Stops MariaDB.
    fn stop_database(&mut self) -> Result<(), String>;
    /// Whether keys are in memory: once they were taken, somebody has released them
    /// since.
    fn are_keys_released(&self) -> bool;
}

/// The response to an alarm, as far as it has come.
pub struct Response<A> {
    actions: A,
    /// What is not done yet.
    pub left: Unfinished,
    tries: u32,
    /// When it is tried again, by [`clock::awake`].
    due: Duration,
}

impl<A: Actions> Response<A> {
    /// Begins with what takes no time, the pepper and the keys; [`Response::go_on`]
    /// stops MariaDB.
    fn begin(answer: AlarmResponse, actions: A, now: Duration) -> Self {
        let locks = answer != AlarmResponse::Tell;
        let left = Unfinished {
            reset: answer == AlarmResponse::Reset,
            keys: locks,
            database: locks,
        };
        let mut response = Self {
            actions,
            left,
            tries: 0,
            due: now,
        };
        response.withdraw_keys();
        response
    }

    /// Tries what is left: the keys, then what takes longer.
    pub fn go_on(&mut self, now: Duration) {
        self.withdraw_keys();
        if !self.left.keys && self.actions.are_keys_released() {
            // Whoever did that wants the database.
            self.left.database = false;
        }
        if self.left.database {
            let result = self.actions.stop_database();
            self.left.database = !self.is_done("MariaDB still runs", result);
        }
        self.due = now + retry_pause(self.tries);
        self.tries = self.tries.saturating_add(1);
    }

    /// The pepper first; then the released keys, once no start can read them.
    fn withdraw_keys(&mut self) {
        if self.left.reset {
            let result = self.actions.destroy_pepper();
            self.left.reset = !self.is_done("the reset failed", result);
        }
        if self.left.keys {
            // The keys of a stolen server go also where a start could not be ended.
            let result = self.actions.end_starts();
            self.is_done("a start of MariaDB was not ended", result);
            let result = self.actions.take_keys();
            self.left.keys = !self.is_done("the keys stay in memory", result);
        }
    }

    /// What fails for ever is told less and less often.
    fn is_done(&self, what: &str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => true,
            Err(why) => {
                if self.tries < 10 || self.tries.is_multiple_of(60) {
                    log::error!("{what}: {why}");
                }
                false
            }
        }
    }

    /// When it is to be tried again; `None` where all is done.
    pub fn due(&self) -> Option<Duration> {
        (self.left != Unfinished::default()).then_some(self.due)
    }
}

/// Responds to an alarm. With `note` it goes into the vault's log.
pub fn respond(alarm: Alarm, wanted: OnAlarm, note: bool) -> Response<Server> {
    let mut events = Vec::new();
    if note {
        events.push(EventKind::WatchAlarm { alarm, wanted });
    }
    log::error!("alarm: {alarm}");
    // Sticks are looked for only when needed: that takes time.
    let (plugged, way_back) = match wanted {
        OnAlarm::Reset => plugged_sticks(),
        OnAlarm::Off | OnAlarm::Alert | OnAlarm::Lock => (None, WayBack::None),
    };
    let answer = respond_to(wanted, way_back);
    if answer == AlarmResponse::LockOnly {
        log::error!("not reset: no verified stick is listed but those that are plugged in");
        events.push(EventKind::ResetWithheld { cause: CAUSE });
    }
    let mut response = Response::begin(answer, Server { plugged }, clock::awake());
    append(events);
    tell(&what_is_done(alarm, answer));
    response.go_on(clock::awake());
    if response.due().is_some() {
        tell(&what_is_left(response.left));
    }
    response
}

/// Notes that an alarm is over. Whatever it has not done by then stays as it is.
pub fn all_clear(note: bool) {
    log::warn!("the alarm is over: the server is at home");
    if release::is_open() {
        no_start::allow();
    }
    if note {
        append(vec![EventKind::WatchAllClear]);
    }
}

/// This server.
pub struct Server {
    /// This server's keys on plugged sticks, where a reset is to destroy them.
    plugged: Option<PluggedKeys>,
}

impl Actions for Server {
    fn destroy_pepper(&mut self) -> Result<(), String> {
        let Some(plugged) = &self.plugged else {
            return Ok(());
        };
        let done = destroy_keys(CAUSE, plugged, true);
        for device in &done.wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
        match done.destroyed {
            Ok(Destroyed {
                state: Err(error), ..
            }) => log::error!("reset, but the vault does not say so: {error}"),
            Ok(destroyed) if destroyed.failed == 0 => log::warn!("reset, {CAUSE}"),
            Ok(destroyed) => log::error!("reset, but {} blocks failed", destroyed.failed),
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    fn end_starts(&mut self) -> Result<(), String> {
        end_starts().map_err(|problem| problem.what)
    }

    fn take_keys(&mut self) -> Result<(), String> {
        release::revoke();
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
}

/// The sticks that are plugged in at this moment, and whether another way back is
/// listed: the policy was chosen with others. Trusts the unproven list: whoever wrote a
/// wrong one could destroy the pepper as well.
fn plugged_sticks() -> (Option<PluggedKeys>, WayBack) {
    let vault = match open_vault() {
        Ok(vault) => vault,
        Err(problem) => {
            log::error!("{}", problem.what);
            return (None, WayBack::None);
        }
    };
    let plugged = PluggedKeys::beside(&vault);
    let listed = vault.unproven_sticks().unwrap_or_default();
    let way_back = plugged.way_back(vault.header(), listed.as_claimed());
    (Some(plugged), way_back)
}

fn append(events: Vec<EventKind>) {
    let write = |vault: &mut Vault<VaultDisk>, kind| {
        let appended = vault.append(clock::now(), clock::boot_id(), kind);
        appended.map(drop).map_err(|error| error.to_string())
    };
    let written = if events.is_empty() {
        Ok(())
    } else {
        open_vault()
            .map_err(|problem| problem.what)
            .and_then(|mut vault| {
                let mut events = events.into_iter();
                events.try_for_each(|kind| write(&mut vault, kind))
            })
    };
    if let Err(why) = written {
        log::warn!("the vault's log was not written: {why}");
    }
}

/// While it is done: stopping MariaDB takes time.
fn what_is_done(alarm: Alarm, answer: AlarmResponse) -> String {
    let done = match answer {
        AlarmResponse::Tell => "Nothing is stopped.",
        AlarmResponse::Lock | AlarmResponse::LockOnly => {
            "The database is being stopped. At home, or with a stick: stayput release"
        }
        AlarmResponse::Reset => {
            "The database is being stopped and its key destroyed. With a stick: \
             stayput release --stick /dev/sdX1"
        }
    };
    format!("stayput: has this server been carried away? I see that {alarm}. {done}")
}

fn what_is_left(left: Unfinished) -> String {
    let left: Vec<&str> = left.list().map(|(_, sentence)| sentence).collect();
    format!(
        "stayput: NOT DONE YET, and tried again: {}.",
        left.join(", ")
    )
}

/// Tells everybody who is logged in.
fn tell(text: &str) {
    // On a system without `wall` nobody is logged in either.
    if let Err(problem) = program::run(Command::new("/usr/bin/wall").arg(text), "") {
        log::info!("nobody was told: {}", problem.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at each of these, as often as it says, and notes what it is asked for.
    #[derive(Default)]
    struct Stubborn {
        keys: u32,
        database: u32,
        reset: u32,
        asked: Vec<&'static str>,
        released: bool,
    }

    fn fail(left: &mut u32) -> Result<(), String> {
        match left.checked_sub(1) {
            Some(fewer) => {
                *left = fewer;
                Err("busy".into())
            }
            None => Ok(()),
        }
    }

    impl Actions for Stubborn {
        fn destroy_pepper(&mut self) -> Result<(), String> {
            self.asked.push("pepper");
            fail(&mut self.reset)
        }

        fn end_starts(&mut self) -> Result<(), String> {
            self.asked.push("starts");
            Ok(())
        }

        fn take_keys(&mut self) -> Result<(), String> {
            self.asked.push("keys");
            fail(&mut self.keys)
        }

        fn stop_database(&mut self) -> Result<(), String> {
            self.asked.push("database");
            fail(&mut self.database)
        }

        fn are_keys_released(&self) -> bool {
            self.released
        }
    }

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn no_start_begins_before_the_keys_go_and_mariadb_is_stopped() {
        let done_for = |answer| {
            let mut done = Response::begin(answer, Stubborn::default(), NOW);
            done.go_on(NOW);
            assert_eq!((done.left, done.due()), (Unfinished::default(), None));
            done.actions.asked
        };
        assert_eq!(
            done_for(AlarmResponse::Lock),
            ["starts", "keys", "database"]
        );
        let reset = ["pepper", "starts", "keys", "database"];
        assert_eq!(done_for(AlarmResponse::Reset), reset);
        assert_eq!(done_for(AlarmResponse::Tell), [""; 0]);
    }

    #[test]
    fn a_database_that_somebody_has_released_since_is_left_alone() {
        let server = Stubborn {
            database: 200,
            ..Stubborn::default()
        };
        let mut response = Response::begin(AlarmResponse::Lock, server, NOW);
        response.go_on(NOW);
        assert!(response.left.database);
        response.actions.released = true;
        response.go_on(NOW);
        assert_eq!(
            (response.left, response.due()),
            (Unfinished::default(), None)
        );
        assert_eq!(response.actions.asked.last(), Some(&"database"));
        assert_eq!(response.actions.database, 199, "it was tried once");
    }

    #[test]
    fn what_an_alarm_could_not_do_is_tried_until_it_is_done() {
        let server = Stubborn {
            keys: 2,
            database: 200,
            ..Stubborn::default()
        };
        let mut response = Response::begin(AlarmResponse::Lock, server, NOW);
        response.go_on(NOW);
        while let Some(due) = response.due() {
            assert!(due > NOW);
            response.go_on(due);
        }
        let asked = |what| {
            response
                .actions
                .asked
                .iter()
                .filter(move |asked| **asked == what)
        };
        assert_eq!(asked("keys").count(), 3, "what is done is not done again");
        assert_eq!(asked("database").count(), 201);
    }

    #[test]
    fn no_stop_is_claimed_before_it_is_done() {
        for answer in [AlarmResponse::Lock, AlarmResponse::Reset] {
            let text = what_is_done(Alarm::Gone, answer);
            assert!(text.contains("is being stopped"), "{text}");
        }
        let left = Unfinished {
            keys: true,
            database: true,
            ..Unfinished::default()
        };
        let text = what_is_left(left);
        assert!(
            text.contains("keys are still in memory, MariaDB still runs"),
            "{text}"
        );
    }
}
