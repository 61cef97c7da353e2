//! What the watch does when it is sure: the keys first, then everything that
//! takes longer.

use std::process::Command;

use crate::admin::key_destruction::destroy;
use crate::admin::mariadb_service::{is_enabled, stop_a_start, stop_mariadb};
use crate::admin::open_vault::open_vault;
use crate::admin::program;
use crate::release;
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::{Alarm, Answer, OnAlarm, ResetCause, WayBack, answer};
use crate::vault::locate::VaultDisk;
use crate::vault::{EventKind, Vault};

/// Alarms that one run of the watch notes in the vault: somebody on the network
/// who raises them again and again shall not push everything else out of its
/// log, which is a ring.
pub const NOTED: u32 = 32;

const CAUSE: ResetCause = ResetCause::Watch;

/// Acts on an alarm; `note`: whether it goes into the vault's log.
pub fn act(alarm: Alarm, wanted: OnAlarm, note: bool) {
    let mut events = Vec::new();
    if note {
        events.push(EventKind::WatchAlarm { alarm, wanted });
    }
    log::error!("alarm: {alarm}");
    // Only then: a stick takes its time, and the lock does not need it.
    let sticks = match wanted {
        OnAlarm::Reset => Sticks::now(),
        OnAlarm::Off | OnAlarm::Alert | OnAlarm::Lock => None,
    };
    let way_back = sticks.as_ref().map_or(WayBack::None, Sticks::way_back);
    let answer = answer(wanted, way_back);
    match (answer, sticks) {
        (Answer::Tell, _) => {}
        (Answer::Reset, Some(sticks)) => {
            sticks.reset();
            tell_what_is_left();
        }
        (Answer::Lock, _) => take_keys(),
        (Answer::LockOnly | Answer::Reset, _) => {
            take_keys();
            log::error!("not reset: no verified stick is listed but those that are plugged in");
            events.push(EventKind::ResetWithheld { cause: CAUSE });
        }
    }
    append(events);
    tell(alarm, answer);
    if answer != Answer::Tell {
        stop();
    }
}

/// An alarm is over.
pub fn all_clear(note: bool) {
    log::warn!("the alarm is over: the server is at home");
    if note {
        append(vec![EventKind::WatchAllClear]);
    }
}

/// Out of memory with them, whatever MariaDB does meanwhile: one that runs
/// has read them.
fn take_keys() {
    stop_a_start();
    release::take_back();
    tell_what_is_left();
}

fn tell_what_is_left() {
    if release::is_open() {
        log::error!("the released keys are still in memory");
    }
}

fn stop() {
    if !is_enabled() {
        return;
    }
    match stop_mariadb() {
        Ok(()) => log::warn!("MariaDB is stopped"),
        Err(problem) => log::error!("MariaDB still runs: {}", problem.what),
    }
}

/// The vault, and the sticks that are plugged in at this moment: since the
/// policy was chosen some may have been lost or plugged in.
struct Sticks {
    vault: Vault<VaultDisk>,
    plugged: PluggedKeys,
}

impl Sticks {
    fn now() -> Option<Self> {
        let vault = open_vault()
            .inspect_err(|problem| log::error!("{}", problem.what))
            .ok()?;
        let plugged = PluggedKeys::beside(&vault);
        Some(Self { vault, plugged })
    }

    /// The list is not proven: whoever wrote a wrong one could destroy the
    /// pepper as well.
    fn way_back(&self) -> WayBack {
        let listed = self.vault.unproven_sticks().unwrap_or_default();
        self.plugged
            .way_back(self.vault.header(), listed.as_claimed())
    }

    /// The pepper, the slots, what was released, and the keys on the sticks that
    /// are plugged in: there is another one.
    fn reset(mut self) {
        let done = destroy(&mut self.vault, CAUSE, &self.plugged, true);
        match done.destroyed {
            Ok(destroyed) if destroyed.failed == 0 => log::warn!("reset, {CAUSE}"),
            Ok(destroyed) => log::error!("reset, but {} blocks failed", destroyed.failed),
            Err(error) => log::error!("the reset failed: {error}"),
        }
    }
}

fn append(events: Vec<EventKind>) {
    let write = |vault: &mut Vault<VaultDisk>, kind| {
        let appended = vault.append(clock::now(), clock::boot_id(), kind);
        appended.map_err(|error| error.to_string())
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

/// Everybody who is logged in reads it.
fn tell(alarm: Alarm, answer: Answer) {
    let done = match answer {
        Answer::Tell => "Nothing was stopped.",
        Answer::Lock | Answer::LockOnly => {
            "The database is stopped. At home, or with a stick: stayput release, then \
             systemctl start mariadb"
        }
        Answer::Reset => {
            "The database is stopped and its key destroyed. With a stick: \
             stayput release --stick /dev/sdX1, then systemctl start mariadb"
        }
    };
    let text = format!("stayput: has this server been carried away? I see that {alarm}. {done}");
    // Where there is no such program nobody is logged in either.
    if let Err(problem) = program::run(Command::new("/usr/bin/wall").arg(text), "") {
        log::info!("nobody was told: {}", problem.what);
    }
}
