//! MariaDB's service in systemd: its state, stopping and starting it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::admin::child_work::ChildWork;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::systemd::{self, SYSTEMCTL, running};
use crate::release::{self, no_start};
use crate::sys::hangup;

/// The check values of the database's keys; the file exists once MariaDB is
/// encrypted.
pub const CHECK_FILE: &str = "/var/lib/stayput/mariadb.check";

/// Whether this server's database is encrypted with keys from here; also where that
/// cannot be seen.
pub fn is_enabled() -> bool {
    Path::new(CHECK_FILE).try_exists().unwrap_or(true)
}

const SHOWS_WHY: &str = "`journalctl -u mariadb -n 20` shows why.";

fn systemctl(arguments: &[&str]) -> Result<()> {
    systemd::systemctl(arguments, SHOWS_WHY)
}

/// Newer packages of Debian also start MariaDB when a client connects.
const SOCKET: &str = "mariadb.socket";

/// MariaDB's service and its instances. A pattern matches loaded units only; matching
/// none is no error.
const SERVICES: [&str; 2] = ["mariadb.service", "mariadb@*.service"];
const SOCKETS: &str = "mariadb*.socket";

/// Has a child stop MariaDB where it depends on the keys. Does not wait, and reports nothing.
pub fn stop_mariadb_later() {
    let _ = STOP_LATER.start(&[]);
}

/// For [`stop_mariadb_later`]. systemd's command may lie on a disk that hangs.
pub const STOP_LATER: ChildWork<()> = ChildWork::new("stop-database-later", |_| {
    // Whoever has started it is gone.
    let _ = hangup::outlive();
    if !is_enabled() {
        return;
    }
    let _ = systemctl(&["stop", "--no-block", SOCKETS]);
    for unit in SERVICES {
        // A unit that does not exist needs no stopping.
        let _ = systemctl(&["stop", "--no-block", unit]);
    }
});

/// Stops MariaDB's units.
///
/// # Errors
/// When systemd does not do it.
pub fn stop_units() -> Result<()> {
    if !running() {
        return Ok(());
    }
    let [service, instances] = SERVICES;
    systemctl(&["stop", SOCKETS, service, instances])
}

/// The active states of MariaDB's units; `None` where systemd does not say.
fn states() -> Option<Vec<String>> {
    let mut ask = Command::new(SYSTEMCTL);
    ask.args(["show", "--property=ActiveState", "--"])
        .args(SERVICES);
    let said = program::run(&mut ask, "").ok()?;
    Some(states_in(&said))
}

/// A line for each unit, with an empty one in between.
fn states_in(said: &str) -> Vec<String> {
    let values = said.lines().filter_map(|line| line.split_once('='));
    values.map(|(_, state)| state.to_owned()).collect()
}

/// Whether MariaDB, or an instance of it, runs and has read its keys.
pub fn is_started() -> bool {
    running() && states().is_some_and(|states| states.iter().any(|state| state == "active"))
}

/// Whether MariaDB is stopped and its keys are not in memory: it does not run again before
/// somebody releases them. No where systemd does not tell.
pub fn waits_for_release() -> bool {
    is_enabled() && running() && !release::is_open() && is_stopped(states().as_deref())
}

fn is_stopped(states: Option<&[String]>) -> bool {
    let is_stopped = |state: &String| matches!(state.as_str(), "inactive" | "failed" | "unknown");
    states.is_some_and(|states| !states.is_empty() && states.iter().all(is_stopped))
}

/// Whether the system is to run MariaDB: its unit is enabled, and not masked.
pub fn is_to_run() -> bool {
    knows("mariadb.service")
}

/// Whether MariaDB, or an instance of it, is being started; also where systemd runs and
/// does not say.
pub fn is_starting() -> bool {
    running() && may_be_starting(states().as_deref())
}

fn may_be_starting(states: Option<&[String]>) -> bool {
    let known = ["active", "inactive", "failed", "deactivating", "unknown"];
    let is_known = |state: &String| known.contains(&state.as_str());
    !states.is_some_and(|states| !states.is_empty() && states.iter().all(is_known))
}

/// Lets no start begin before the next release, and stops one that is under way, before
/// its keys are removed. A mariadbd that misses its keys during recovery marks the
/// recovery as done, and rows are lost.
///
/// Waits for half a minute at most: on a disk that hangs no start ends.
///
/// # Errors
/// When one of the two fails. A caller that has to remove the keys goes on.
pub fn end_starts() -> Result<()> {
    let forbidden = no_start::forbid().map_err(|error| Problem::of_file("/run", &error));
    // Behind the mark: a start that systemd has begun before it is under way by now.
    let ended = END_START.within(STARTS_END_WITHIN, &[]);
    match ended.unwrap_or_else(|_| Err("a start of MariaDB has not ended in time".into())) {
        Ok(()) => forbidden,
        Err(why) => Err(Problem::failed(why, SHOWS_WHY)),
    }
}

/// Stops a start of MariaDB that is under way. systemd's command may lie on a disk that hangs.
pub const END_START: ChildWork<std::result::Result<(), String>> =
    ChildWork::new("end-start", |_| match is_starting() {
        true => stop_units().map_err(|problem| problem.what),
        false => Ok(()),
    });

/// A MariaDB that has come further has read its keys.
const STARTS_END_WITHIN: Duration = Duration::from_secs(30);

/// Starts MariaDB, through the gate when it is in front; returns when the
/// server answers.
///
/// # Errors
/// When it does not come up.
pub fn start_mariadb() -> Result<()> {
    if !running() {
        return Ok(());
    }
    // systemd refuses a unit that has failed too often.
    let _ = systemctl(&["reset-failed", "mariadb.service"]);
    if knows(SOCKET) {
        let _ = systemctl(&["reset-failed", SOCKET]);
        systemctl(&["start", SOCKET])?;
    }
    systemctl(&["start", "mariadb.service"]).map_err(|problem| {
        let why = last_words().unwrap_or_default();
        Problem::failed(format!("MariaDB did not start: {why}"), problem.next)
    })
}

/// Whether a unit is there and enabled.
fn knows(unit: &str) -> bool {
    systemctl(&["is-enabled", "--quiet", unit]).is_ok()
}

/// The last errors in the journal of MariaDB's unit.
fn last_words() -> Option<String> {
    let text = program::run(
        Command::new("/usr/bin/journalctl").args([
            "--unit=mariadb.service",
            "--boot",
            "--output=cat",
            "--no-pager",
            "--lines=30",
        ]),
        "",
    )
    .ok()?;
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("[ERROR]") || line.contains("not started"))
        .collect();
    let lines = if errors.is_empty() {
        text.lines().collect()
    } else {
        errors
    };
    Some(lines[lines.len().saturating_sub(4)..].join(" / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_systemd_does_not_tell_may_be_a_start() {
        let starts = |said: &str| may_be_starting(Some(&states_in(said)));
        for state in ["activating", "reloading", ""] {
            assert!(starts(&format!("ActiveState={state}\n")), "{state:?}");
        }
        assert!(may_be_starting(None) && starts(""));
        for state in ["active", "inactive", "failed", "deactivating", "unknown"] {
            assert!(!starts(&format!("ActiveState={state}\n")), "{state}");
        }
    }

    #[test]
    fn only_a_database_known_to_be_stopped_waits_for_a_release() {
        let stopped = |said: &str| is_stopped(Some(&states_in(said)));
        assert!(stopped("ActiveState=inactive\n") && stopped("ActiveState=failed\n"));
        for state in ["active", "activating", "deactivating", "reloading", ""] {
            let said = format!("ActiveState=inactive\n\nActiveState={state}\n");
            assert!(!stopped(&said), "{state:?}");
        }
        assert!(!is_stopped(None) && !stopped(""));
    }

    #[test]
    fn an_instance_that_starts_is_a_start() {
        let said = "ActiveState=inactive\n\nActiveState=activating\n\nActiveState=active\n";
        assert_eq!(states_in(said), ["inactive", "activating", "active"]);
        assert!(may_be_starting(Some(&states_in(said))));
        let up = said.replace("activating", "active");
        assert!(!may_be_starting(Some(&states_in(&up))));
    }
}
