//! What the watch does after an alarm: the keys first, then what takes longer.

mod actions;
mod at_the_disk;
mod errand;
mod progress;
mod reset;
mod server;

use std::ffi::OsStr;
use std::time::Duration;

use crate::admin::child_work::AnyChildWork;
use crate::admin::mariadb::disable::key_files_left;
use crate::admin::watch_service::{Report, Unfinished};
use crate::environment::Watched;
use crate::sys::clock;
use crate::theft::{Alarm, OnAlarm, ResetCause, retry_pause};
use crate::vault::EventKind;

pub use actions::{Actions, NotReset, SticksSeen, WipedAgain};
use at_the_disk::TELL;
use progress::{Progress, Reset, locks};
pub use server::Server;

/// Most alarms that one run of the watch logs in the vault. The log is a ring:
/// somebody on the network who raises alarms again and again must not push
/// everything else out of it.
pub const NOTED: u32 = 32;

const CAUSE: ResetCause = ResetCause::Watch;

/// How long people are told of an alarm: the program that does it may lie on a disk that hangs.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// What children do in an alarm.
pub const WORK: [&dyn AnyChildWork; 7] = [
    &at_the_disk::ADD_TO_LOG,
    &at_the_disk::DESTROY_REST,
    &at_the_disk::END_RUN,
    &at_the_disk::IS_ARMED,
    &at_the_disk::SEE_STICKS,
    &TELL,
    &at_the_disk::WIPE_STICKS,
];

/// The response to an alarm, as far as it has come.
pub struct Response<A> {
    actions: A,
    progress: Progress,
    /// The place answers again, though the alarm is not over yet.
    at_home: bool,
    tries: u32,
    /// When it is tried again, by [`clock::awake`].
    due: Duration,
}

impl<A: Actions> Response<A> {
    fn new(progress: Progress, actions: A, now: Duration) -> Self {
        Self {
            actions,
            progress,
            at_home: false,
            tries: 0,
            due: now,
        }
    }

    /// Begins with what takes no time, the pepper and the keys; [`Response::go_on`]
    /// stops MariaDB.
    fn begin(mut progress: Progress, actions: A, now: Duration) -> Self {
        let (alarm, wanted) = (progress.alarm, progress.wanted);
        if progress.is_noted {
            let event = EventKind::WatchAlarm { alarm, wanted };
            progress.events.push(event);
        }
        let mut response = Self::new(progress, actions, now);
        // Should the watch be killed in the middle, the next one goes on.
        response.keep();
        if response.progress.keys_left {
            let result = response.actions.hold_starts();
            let held = response.done("the starts of MariaDB are not held", result);
            response.progress.is_held = held.is_some();
            response.keep();
        }
        response.withdraw_keys();
        response
    }

    /// Goes on with what an earlier run of the watch has begun. `None` where it only told of
    /// an alarm, or somebody has released the keys since, and the log says so. No reset is
    /// begun before this run has seen where the server is.
    fn resume(mut progress: Progress, actions: A, now: Duration) -> Option<Self> {
        // Its owner may have armed the vault since.
        if let Reset::Begun {
            vault_says_so: false,
        } = progress.reset
        {
            progress.reset = Reset::AtWork { is_wanted: true };
        }
        let only_told = !locks(progress.wanted);
        let mut response = Self::new(progress, actions, now);
        response.at_home = true;
        if only_told {
            response.progress.answer();
        }
        response.end_if_answered();
        if response.has_ended() {
            response.forget();
            return None;
        }
        Some(response)
    }

    /// Whether somebody has released the keys since they were taken, or since the mark was
    /// put there that a release takes away.
    fn is_answered(&self) -> bool {
        let Progress {
            keys_left, is_held, ..
        } = self.progress;
        let was_taken = !keys_left || (is_held && !self.actions.are_starts_held());
        was_taken && self.actions.are_keys_released()
    }

    /// Ends where somebody has released the keys: a person has answered the alarm.
    pub fn end_if_answered(&mut self) {
        if self.is_answered() {
            self.progress.answer();
            self.keep();
        }
    }

    /// What is told before the first look.
    pub fn first_report(&self) -> Report {
        Report {
            on_alarm: self.progress.wanted,
            enrolled: true,
            same: 0,
            different: 0,
            silent: 0,
            who: Watched::default(),
            alarm: self.alarm(),
            unfinished: self.left(),
        }
    }

    fn note(&mut self, event: EventKind) {
        if self.progress.is_noted {
            self.progress.events.push(event);
        }
    }

    fn keep(&mut self) {
        self.actions.keep(Some(&self.progress));
    }

    /// Whether the place answered at the last look. There no reset is begun.
    pub fn stands_at_home(&mut self, at_home: bool) {
        self.at_home = at_home;
    }

    /// What the owner wants of the watch now.
    pub fn follow(&mut self, wanted: OnAlarm) {
        self.progress.follow(wanted);
        self.keep();
    }

    /// The server is at home: whatever is not done by then stays as it is, and the starts
    /// of MariaDB are not held any longer.
    pub fn all_clear(&mut self, now: Duration) {
        self.progress.end();
        self.note(EventKind::WatchAllClear);
        self.tries = 0;
        self.go_on(now);
    }

    /// Nothing of it is wanted any more.
    pub fn forget(mut self) {
        self.actions.keep(None);
    }

    /// The alarm, and since when (seconds since 1970, UTC), while it is not over.
    pub fn alarm(&self) -> Option<(Alarm, u64)> {
        let Progress { alarm, since, .. } = self.progress;
        (!self.progress.is_over).then_some((alarm, since))
    }

    /// Whether the alarm is over, and nothing is left to do.
    pub fn has_ended(&self) -> bool {
        self.progress.is_over && self.progress.is_done()
    }

    /// Tries what is left: the keys, then what takes longer.
    pub fn go_on(&mut self, now: Duration) {
        self.leave_what_was_released();
        self.withdraw_keys();
        self.wipe_sticks();
        if self.progress.hold_left {
            let result = self.actions.end_hold();
            let ended = self.done("the starts of MariaDB are still held", result);
            self.progress.hold_left = ended.is_none();
        }
        self.write_log();
        if self.progress.database_left {
            self.keep();
            let result = self.actions.stop_database();
            self.progress.database_left = self.done("MariaDB still runs", result).is_none();
        }
        self.keep();
        self.due = now + retry_pause(self.tries);
        self.tries = self.tries.saturating_add(1);
    }

    /// Whoever has released the keys wants the database, and its key.
    fn leave_what_was_released(&mut self) {
        if self.is_answered() {
            if self.left().reset {
                log::warn!("the keys were released again: the reset goes no further");
            }
            self.progress.give_up();
        }
    }

    /// The pepper first; then the released keys. Each step is kept when it is done.
    fn withdraw_keys(&mut self) {
        match self.progress.reset {
            Reset::Wanted if self.at_home => {}
            Reset::Wanted => self.begin_reset(),
            Reset::AtWork { is_wanted } => self.see_whether_it_began(is_wanted),
            Reset::Begun { vault_says_so } => self.go_on_resetting(vault_says_so),
            Reset::NotWanted | Reset::Done | Reset::Withheld => {}
        }
        self.keep();
        // A reset that wipes sticks takes seconds.
        self.leave_what_was_released();
        if self.progress.keys_left {
            let result = self.actions.take_keys();
            self.progress.keys_left = self.done("the keys stay in memory", result).is_none();
            self.keep();
        }
    }

    fn write_log(&mut self) {
        let events = std::mem::take(&mut self.progress.events);
        for event in events {
            let written = self.actions.note(&event);
            if self
                .done("the vault's log was not written", written)
                .is_none()
            {
                self.progress.events.push(event);
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
        self.progress.left()
    }

    /// When it is to be tried again; `None` where all is done.
    pub fn due(&self) -> Option<Duration> {
        (!self.progress.is_done()).then_some(self.due)
    }
}

/// Responds to an alarm. With `note` it goes into the vault's log.
pub fn respond(alarm: Alarm, wanted: OnAlarm, note: bool) -> Response<Server> {
    log::error!("alarm: {alarm}");
    let progress = Progress::begin(alarm, clock::now(), wanted, note);
    let mut response = Response::begin(progress, Server::default(), clock::awake());
    tell(&what_is_done(alarm, wanted, response.progress.reset));
    response.go_on(clock::awake());
    if matches!(wanted, OnAlarm::Lock | OnAlarm::Reset) {
        key_files_left()
            .lines()
            .for_each(|line| log::error!("{line}"));
    }
    let left = response.left();
    if left != Unfinished::default() {
        tell(&what_is_left(left));
    }
    response
}

/// Goes on with the response that an earlier run of the watch has begun, if any.
pub fn resume() -> Option<Response<Server>> {
    let progress = server::kept()?;
    let mut response = Response::resume(progress, Server::default(), clock::awake())?;
    let left = response.left();
    if left != Unfinished::default() {
        log::warn!("the response to an alarm goes on that an earlier run has begun");
    }
    response.go_on(clock::awake());
    Some(response)
}

/// Says that an alarm is over, and ends the response to it.
pub fn all_clear(response: &mut Response<Server>) {
    log::warn!("the alarm is over: the server is at home");
    if locks(response.progress.wanted) && !response.actions.are_keys_released() {
        tell(
            "stayput: the alarm is over. The database was stopped, and stays so until somebody \
             runs: stayput release",
        );
    }
    response.all_clear(clock::awake());
}

/// While it is done: stopping MariaDB takes time.
fn what_is_done(alarm: Alarm, wanted: OnAlarm, reset: Reset) -> String {
    let done = match (wanted, reset) {
        (OnAlarm::Off | OnAlarm::Alert, _) => "Nothing is stopped.",
        (_, Reset::AtWork { .. } | Reset::Begun { .. } | Reset::Done) => {
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

/// Tells everybody who is logged in. Nothing waits for it any longer than for a terminal.
fn tell(text: &str) {
    if TELL.within(TOLD_WITHIN, &[OsStr::new(text)]).is_err() {
        log::warn!("perhaps nobody was told");
    }
}

#[cfg(test)]
mod tests;
