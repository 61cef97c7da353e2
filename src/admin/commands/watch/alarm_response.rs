//! What the watch does after an alarm: the keys first, then what takes longer.

use std::process::Command;

use crate::admin::key_destruction::destroy_keys;
use crate::admin::mariadb_service::{is_enabled, stop_a_start, stop_mariadb};
use crate::admin::open_vault::open_vault;
use crate::admin::program;
use crate::release;
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::{Alarm, AlarmResponse, OnAlarm, ResetCause, WayBack, respond_to};
use crate::vault::locate::VaultDisk;
use crate::vault::{Destroyed, EventKind, Vault};

/// Most alarms that one run of the watch logs in the vault. The log is a ring:
/// somebody on the network who raises alarms again and again must not push
/// everything else out of it.
pub const NOTED: u32 = 32;

const CAUSE: ResetCause = ResetCause::Watch;

/// Responds to an alarm. With `note` it goes into the vault's log.
pub fn respond(alarm: Alarm, wanted: OnAlarm, note: bool) {
    let mut events = Vec::new();
    if note {
        events.push(EventKind::WatchAlarm { alarm, wanted });
    }
    log::error!("alarm: {alarm}");
    // Sticks are looked for only when needed: that takes time.
    let sticks = match wanted {
        OnAlarm::Reset => Sticks::now(),
        OnAlarm::Off | OnAlarm::Alert | OnAlarm::Lock => None,
    };
    let way_back = sticks.as_ref().map_or(WayBack::None, Sticks::way_back);
    let answer = respond_to(wanted, way_back);
    match (answer, sticks) {
        (AlarmResponse::Tell, _) => {}
        (AlarmResponse::Reset, Some(sticks)) => {
            sticks.reset();
            tell_what_is_left();
        }
        (AlarmResponse::Lock, _) => take_keys(),
        (AlarmResponse::LockOnly | AlarmResponse::Reset, _) => {
            take_keys();
            log::error!("not reset: no verified stick is listed but those that are plugged in");
            events.push(EventKind::ResetWithheld { cause: CAUSE });
        }
    }
    append(events);
    tell(alarm, answer);
    if answer != AlarmResponse::Tell {
        stop();
    }
}

/// Notes that an alarm is over.
pub fn all_clear(note: bool) {
    log::warn!("the alarm is over: the server is at home");
    if note {
        append(vec![EventKind::WatchAllClear]);
    }
}

/// Removes the keys from memory. A MariaDB that runs has read them already.
fn take_keys() {
    stop_a_start();
    release::revoke();
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

/// The vault, and the sticks that are plugged in at this moment: the policy was
/// chosen with others.
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

    /// Trusts the unproven list: whoever wrote a wrong one could destroy the
    /// pepper as well.
    fn way_back(&self) -> WayBack {
        let listed = self.vault.unproven_sticks().unwrap_or_default();
        self.plugged
            .way_back(self.vault.header(), listed.as_claimed())
    }

    /// Destroys the pepper, the slots, the released keys, and the keys on the
    /// plugged sticks: another stick is known to open the server.
    fn reset(self) {
        let done = destroy_keys(CAUSE, &self.plugged, true);
        match done.destroyed {
            Ok(Destroyed {
                state: Err(error), ..
            }) => log::error!("reset, but the vault does not say so: {error}"),
            Ok(destroyed) if destroyed.failed == 0 => log::warn!("reset, {CAUSE}"),
            Ok(destroyed) => log::error!("reset, but {} blocks failed", destroyed.failed),
            Err(error) => log::error!("the reset failed: {error}"),
        }
        for device in &done.wiped.unwiped {
            log::error!("{} was not wiped", device.display());
        }
    }
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

/// Tells everybody who is logged in.
fn tell(alarm: Alarm, answer: AlarmResponse) {
    let done = match answer {
        AlarmResponse::Tell => "Nothing was stopped.",
        AlarmResponse::Lock | AlarmResponse::LockOnly => {
            "The database is stopped. At home, or with a stick: stayput release"
        }
        AlarmResponse::Reset => {
            "The database is stopped and its key destroyed. With a stick: \
             stayput release --stick /dev/sdX1"
        }
    };
    let text = format!("stayput: has this server been carried away? I see that {alarm}. {done}");
    // On a system without `wall` nobody is logged in either.
    if let Err(problem) = program::run(Command::new("/usr/bin/wall").arg(text), "") {
        log::info!("nobody was told: {}", problem.what);
    }
}
