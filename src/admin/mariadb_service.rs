//! MariaDB's service in systemd: its state, stopping and starting it.

use std::path::Path;
use std::process::Command;

use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::systemd::{self, SYSTEMCTL, running};
use crate::release::no_start;

/// The check values of the database's keys; the file exists once MariaDB is
/// encrypted.
pub const CHECK_FILE: &str = "/var/lib/stayput/mariadb.check";

/// Whether this server's database is encrypted with keys from here; also where that
/// cannot be seen.
pub fn is_enabled() -> bool {
    Path::new(CHECK_FILE).try_exists().unwrap_or(true)
}

fn systemctl(arguments: &[&str]) -> Result<()> {
    systemd::systemctl(arguments, "`journalctl -u mariadb -n 20` shows why.")
}

/// Newer packages of Debian also start MariaDB when a client connects.
const SOCKET: &str = "mariadb.socket";

/// Asks systemd to stop MariaDB. Does not wait, and reports nothing.
pub fn stop_mariadb_later() {
    for unit in [SOCKET, "mariadb.service"] {
        // A unit that does not exist needs no stopping.
        let _ = systemctl(&["stop", "--no-block", unit]);
    }
}

/// Stops MariaDB's units.
///
/// # Errors
/// When systemd does not do it.
pub fn stop_units() -> Result<()> {
    if !running() {
        return Ok(());
    }
    // A pattern matches loaded units only; matching none is no error.
    systemctl(&[
        "stop",
        "mariadb.socket",
        "mariadb*.socket",
        "mariadb.service",
        "mariadb@*.service",
    ])
}

/// Stops MariaDB, and sees that no mariadbd is left.
///
/// # Errors
/// When a mariadbd goes on running.
pub fn stop_mariadb() -> Result<()> {
    if running() {
        if knows(SOCKET) {
            systemctl(&["stop", SOCKET])?;
        }
        systemctl(&["stop", "mariadb.service"])?;
    }
    let found = Command::new("/usr/bin/pgrep")
        .args(["-x", "mariadbd|mysqld"])
        .output()
        .map_err(|error| {
            Problem::failed(
                format!("pgrep cannot be run: {error}"),
                "Install it: `apt-get install procps`.",
            )
        })?;
    let pids = String::from_utf8_lossy(&found.stdout);
    if pids.trim().is_empty() {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "Another mariadbd is running (process {}). Nothing was changed.",
            pids.split_whitespace().collect::<Vec<_>>().join(", ")
        ),
        "Stop it, then run this command again. Only one server per machine is looked after.",
    ))
}

/// The active state of MariaDB's unit; `None` where systemd does not run.
fn state() -> Option<String> {
    if !running() {
        return None;
    }
    let mut ask = Command::new(SYSTEMCTL);
    // It fails for every state but `active`.
    let said = ask.args(["is-active", "mariadb.service"]).output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Whether MariaDB runs and has read its keys.
pub fn is_started() -> bool {
    state().as_deref() == Some("active")
}

/// Whether the system is to run MariaDB: its unit is enabled, and not masked.
pub fn is_to_run() -> bool {
    knows("mariadb.service")
}

/// Whether MariaDB is being started; also where systemd runs and does not say.
pub fn is_starting() -> bool {
    running() && may_be_starting(state().as_deref())
}

fn may_be_starting(state: Option<&str>) -> bool {
    let known = ["active", "inactive", "failed", "deactivating", "unknown"];
    !state.is_some_and(|state| known.contains(&state))
}

/// Lets no start begin before the next release, and stops one that is under way, before
/// its keys are removed. A mariadbd that misses its keys during recovery marks the
/// recovery as done, and rows are lost.
///
/// # Errors
/// When one of the two fails. A caller that has to remove the keys goes on.
pub fn end_starts() -> Result<()> {
    let forbidden = no_start::forbid().map_err(|error| Problem::of_file("/run", &error));
    // Behind the mark: a start that systemd has begun before it is under way by now.
    if is_starting() {
        systemctl(&["stop", "mariadb.service"])?;
    }
    forbidden
}

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
        for state in [Some("activating"), Some("reloading"), Some(""), None] {
            assert!(may_be_starting(state), "{state:?}");
        }
        for state in ["active", "inactive", "failed", "deactivating", "unknown"] {
            assert!(!may_be_starting(Some(state)), "{state}");
        }
    }
}
