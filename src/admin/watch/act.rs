//! What the watch does when it is sure: the keys first, then everything that
//! takes longer.

use std::process::Command;

use crate::admin::mariadb::{is_enabled, stop_a_start, stop_mariadb};
use crate::admin::program;
use crate::admin::unlock::{open_vault, vault_place};
use crate::release;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::clock;
use crate::theft::{Alarm, OnAlarm, ResetCause, WayBack};
use crate::vault::locate::{self, VaultDisk};
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
    match wanted {
        OnAlarm::Off | OnAlarm::Alert => {}
        OnAlarm::Lock => take_keys(),
        OnAlarm::Reset => {
            events.extend(reset());
            take_keys();
        }
    }
    append(events);
    tell(alarm, wanted);
    if wanted == OnAlarm::Lock || wanted == OnAlarm::Reset {
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

/// The reset, with the same precondition as one after strikes, looked at now
/// and not when it was chosen: sticks may have been lost or plugged in since.
/// Without another way in nothing is destroyed, and the server is only locked.
fn reset() -> Vec<EventKind> {
    let mut vault = match open_vault() {
        Ok(vault) => vault,
        Err(problem) => {
            log::error!("not reset: {}", problem.what);
            return Vec::new();
        }
    };
    let own_disk = vault_place().ok().and_then(|place| locate::disk_of(&place));
    let keys = PluggedKeys::find(vault.header(), own_disk.as_deref());
    let sticks = vault.unproven_sticks().unwrap_or_default();
    if keys.way_back(vault.header(), &sticks) == WayBack::None {
        log::error!("not reset: no verified stick is listed but those that are plugged in");
        return vec![EventKind::ResetWithheld { cause: CAUSE }];
    }
    let begun = clock::now();
    match vault.reset(CAUSE, begun, &mut || ()) {
        Ok(destroyed) if destroyed.failed == 0 => log::warn!("reset, {CAUSE}"),
        Ok(destroyed) => log::error!("reset, but {} blocks failed", destroyed.failed),
        Err(error) => log::error!("the reset failed: {error}"),
    }
    let mut events = vec![EventKind::Reset {
        cause: CAUSE,
        begun,
    }];
    let wiped = keys.wipe(vault.header());
    if wiped != Wiped::default() {
        let Wiped { wiped, left } = wiped;
        events.push(EventKind::SticksWiped { wiped, left });
    }
    events
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
fn tell(alarm: Alarm, wanted: OnAlarm) {
    let done = match wanted {
        OnAlarm::Off | OnAlarm::Alert => "Nothing was stopped.",
        OnAlarm::Lock | OnAlarm::Reset => {
            "The database is stopped. At home, or with a stick: stayput release, then \
             systemctl start mariadb"
        }
    };
    let text = format!("stayput: has this server been carried away? I see that {alarm}. {done}");
    // Where there is no such program nobody is logged in either.
    if let Err(problem) = program::run(Command::new("/usr/bin/wall").arg(text), "") {
        log::info!("nobody was told: {}", problem.what);
    }
}
