//! What the watch does after an alarm: the keys first, then what takes longer.

mod server;

use std::process::Command;
use std::time::Duration;

use crate::admin::mariadb::disable::{key_files_on_disk, not_destroyed};
use crate::admin::program;
use crate::admin::watch_service::Unfinished;
use crate::release::{Turn, no_start};
use crate::sys::clock;
use crate::theft::{Alarm, AlarmResponse, OnAlarm, ResetCause, WayBack, respond_to, retry_pause};
use crate::vault::{Destroyed, EventKind};

pub use server::Server;

/// Most alarms that one run of the watch logs in the vault. The log is a ring:
/// somebody on the network who raises alarms again and again must not push
/// everything else out of it.
pub const NOTED: u32 = 32;

/// Another command may just be removing keys behind the mark that ends here.
const TURN_WAITS: Duration = Duration::from_secs(2);

const CAUSE: ResetCause = ResetCause::Watch;

/// What an alarm does to this server. Each says why it was not done.
pub trait Actions {
    /// Finds the sticks that are plugged in, and whether another way back is listed
    /// at this moment.
    fn find_way_back(&mut self) -> Result<WayBack, String>;
    /// Destroys the pepper, and the keys on the sticks that were found. After an error
    /// the vault is as it was.
    fn destroy_pepper(&mut self) -> Result<Destroyed, String>;
    /// Whether the vault says that it was not reset, or was armed since.
    fn is_armed(&mut self) -> Result<bool, String>;
    /// Destroys once more what is left of the pepper.
    fn destroy_rest(&mut self) -> Result<Destroyed, String>;
    /// Lets no start of MariaDB begin, ends one that is under way, then removes the keys
    /// from memory. A MariaDB that runs has read them already.
    fn take_keys(&mut self) -> Result<(), String>;
    /// Stops MariaDB.
    fn stop_database(&mut self) -> Result<(), String>;
    /// Whether keys are in memory: once they were taken, somebody has released them
    /// since.
    fn are_keys_released(&self) -> bool;
    /// Adds to the vault's log.
    fn note(&mut self, event: &EventKind) -> Result<(), String>;
}

/// How far a reset has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    NotWanted,
    /// Nothing is destroyed yet.
    Wanted,
    /// Parts of the pepper may still be on the disk, or the vault does not say that it
    /// was reset.
    Begun {
        vault_says_so: bool,
    },
    Done,
    /// The sticks that are plugged in are the only way back.
    Withheld,
}

/// The response to an alarm, as far as it has come.
pub struct Response<A> {
    actions: A,
    reset: Reset,
    /// The place answers again, though the alarm is not over yet.
    at_home: bool,
    keys_left: bool,
    database_left: bool,
    /// Not in the vault's log yet.
    events: Vec<EventKind>,
    notes: bool,
    tries: u32,
    /// When it is tried again, by [`clock::awake`].
    due: Duration,
}

impl<A: Actions> Response<A> {
    /// Begins with what takes no time, the pepper and the keys; [`Response::go_on`]
    /// stops MariaDB. With `note` it goes into the vault's log.
    fn begin(alarm: Alarm, wanted: OnAlarm, note: bool, actions: A, now: Duration) -> Self {
        let locks = matches!(wanted, OnAlarm::Lock | OnAlarm::Reset);
        let mut response = Self {
            actions,
            reset: match wanted {
                OnAlarm::Reset => Reset::Wanted,
                _ => Reset::NotWanted,
            },
            at_home: false,
            keys_left: locks,
            database_left: locks,
            events: Vec::new(),
            notes: note,
            tries: 0,
            due: now,
        };
        response.note(EventKind::WatchAlarm { alarm, wanted });
        response.withdraw_keys();
        response
    }

    fn note(&mut self, event: EventKind) {
        if self.notes {
            self.events.push(event);
        }
    }

    /// Whether the place answered at the last look. There no reset is begun.
    pub fn stands_at_home(&mut self, at_home: bool) {
        self.at_home = at_home;
    }

    /// Tries what is left: the keys, then what takes longer.
    pub fn go_on(&mut self, now: Duration) {
        if !self.keys_left && self.actions.are_keys_released() {
            // Whoever did that wants the database, and its key.
            self.database_left = false;
            if self.left().reset {
                log::warn!("the keys were released again: the reset goes no further");
                self.reset = Reset::Done;
            }
        }
        self.withdraw_keys();
        self.write_log();
        if self.database_left {
            let result = self.actions.stop_database();
            self.database_left = self.done("MariaDB still runs", result).is_none();
        }
        self.due = now + retry_pause(self.tries);
        self.tries = self.tries.saturating_add(1);
    }

    /// The pepper first; then the released keys.
    fn withdraw_keys(&mut self) {
        match self.reset {
            Reset::Wanted if self.at_home => {}
            Reset::Wanted => self.begin_reset(),
            Reset::Begun { vault_says_so } => self.go_on_resetting(vault_says_so),
            Reset::NotWanted | Reset::Done | Reset::Withheld => {}
        }
        if self.keys_left {
            let result = self.actions.take_keys();
            self.keys_left = self.done("the keys stay in memory", result).is_none();
        }
    }

    /// Sticks may have been lost or plugged in since the last try.
    fn begin_reset(&mut self) {
        let found = self.actions.find_way_back();
        let unseen = "not reset: whether another way back is left cannot be seen";
        let Some(way_back) = self.done(unseen, found) else {
            return;
        };
        if respond_to(OnAlarm::Reset, way_back) == AlarmResponse::Reset {
            let result = self.actions.destroy_pepper();
            self.judge_reset(result);
        } else {
            log::error!("not reset: no verified stick is listed but those that are plugged in");
            self.reset = Reset::Withheld;
            self.note(EventKind::ResetWithheld { cause: CAUSE });
        }
    }

    /// Not of a vault that its owner has armed since: its slots are new.
    fn go_on_resetting(&mut self, vault_says_so: bool) {
        if vault_says_so {
            let is_armed = self.actions.is_armed();
            match self.done("whether the vault was armed since cannot be seen", is_armed) {
                None => return,
                Some(true) => {
                    self.reset = Reset::Done;
                    return;
                }
                Some(false) => {}
            }
        }
        let result = self.actions.destroy_rest();
        self.judge_reset(result);
    }

    fn judge_reset(&mut self, result: Result<Destroyed, String>) {
        let Some(destroyed) = self.done("the reset failed", result) else {
            return;
        };
        self.reset = Reset::Begun {
            vault_says_so: destroyed.state.is_ok(),
        };
        let whole = match destroyed {
            Destroyed {
                state: Err(error), ..
            } => Err(format!("the vault does not say that it was reset: {error}")),
            Destroyed { failed: 0, .. } => Ok(()),
            Destroyed { failed, .. } => Err(format!("{failed} blocks failed")),
        };
        if self.done("the reset is not complete", whole).is_some() {
            log::warn!("reset, {CAUSE}");
            self.reset = Reset::Done;
        }
    }

    fn write_log(&mut self) {
        let events = std::mem::take(&mut self.events);
        for event in events {
            let written = self.actions.note(&event);
            if self
                .done("the vault's log was not written", written)
                .is_none()
            {
                self.events.push(event);
            }
        }
    }

    /// What fails for ever is told less and less often.
    fn done<T>(&self, what: &str, result: Result<T, String>) -> Option<T> {
        if let Err(why) = &result
            && (self.tries < 10 || self.tries.is_multiple_of(60))
        {
            log::error!("{what}: {why}");
        }
        result.ok()
    }

    /// What is not done yet.
    pub fn left(&self) -> Unfinished {
        Unfinished {
            reset: matches!(self.reset, Reset::Wanted | Reset::Begun { .. }),
            keys: self.keys_left,
            database: self.database_left,
        }
    }

    /// When it is to be tried again; `None` where all is done.
    pub fn due(&self) -> Option<Duration> {
        let all_done = self.left() == Unfinished::default() && self.events.is_empty();
        (!all_done).then_some(self.due)
    }
}

/// Responds to an alarm. With `note` it goes into the vault's log.
pub fn respond(alarm: Alarm, wanted: OnAlarm, note: bool) -> Response<Server> {
    log::error!("alarm: {alarm}");
    let server = Server::default();
    let mut response = Response::begin(alarm, wanted, note, server, clock::awake());
    tell(&what_is_done(alarm, wanted, response.reset));
    if matches!(wanted, OnAlarm::Lock | OnAlarm::Reset) {
        let left = not_destroyed(&key_files_on_disk());
        left.lines().for_each(|line| log::error!("{line}"));
    }
    response.go_on(clock::awake());
    let left = response.left();
    if left != Unfinished::default() {
        tell(&what_is_left(left));
    }
    response
}

/// Notes that an alarm is over, to which the answer was `wanted`. Whatever it has not done
/// by then stays as it is.
pub fn all_clear(note: bool, wanted: OnAlarm) {
    log::warn!("the alarm is over: the server is at home");
    if matches!(wanted, OnAlarm::Lock | OnAlarm::Reset) && !Server::default().are_keys_released() {
        tell(
            "stayput: the alarm is over. The database was stopped, and stays so until somebody \
             runs: stayput release",
        );
    }
    // Where the keys were taken, nothing starts without a release. One that waits for the
    // place (stayput-release.service) may make it now.
    let turn = Turn::take(TURN_WAITS);
    no_start::allow();
    drop(turn);
    if note && let Err(why) = server::append(&EventKind::WatchAllClear) {
        log::warn!("the vault's log was not written: {why}");
    }
}

/// While it is done: stopping MariaDB takes time.
fn what_is_done(alarm: Alarm, wanted: OnAlarm, reset: Reset) -> String {
    let done = match (wanted, reset) {
        (OnAlarm::Off | OnAlarm::Alert, _) => "Nothing is stopped.",
        (_, Reset::Begun { .. } | Reset::Done) => {
            "The database is being stopped and its key destroyed. With a stick: \
             stayput release --stick /dev/sdX1"
        }
        (_, Reset::NotWanted | Reset::Wanted | Reset::Withheld) => {
            "The database is being stopped. At home, or with a stick: stayput release"
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
mod tests;
