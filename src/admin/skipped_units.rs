//! MariaDB after a release in the running system, and the units that systemd did not
//! start because MariaDB did not (systemd.unit(5): Requires=, BindsTo=, Requisite=), or
//! that have failed without it (Wants=).

use std::collections::BTreeSet;

use crate::admin::mariadb_service;
use crate::admin::problem::Result;
use crate::admin::systemd::{running, show, systemctl};

/// By which a unit says in systemd that it needs another one.
const NEEDED_BY: [&str; 5] = [
    "RequiredBy",
    "RequisiteOf",
    "BoundBy",
    "WantedBy",
    "UpheldBy",
];

/// Most units that are followed.
const MAX: usize = 1000;

/// How a unit stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct UnitState {
    active: String,
    /// Whether it has been started since the system was.
    was_started: bool,
    needed_by: Vec<String>,
}

/// Starts MariaDB where the system is to run it, then what needs it. Does nothing
/// where it runs, or its data is not encrypted with keys from here.
///
/// # Errors
/// When MariaDB does not come up.
pub fn start_database() -> Result<()> {
    if !running() || !mariadb_service::is_enabled() || mariadb_service::is_started() {
        return Ok(());
    }
    if !mariadb_service::is_to_run() {
        println!("MariaDB's unit is disabled. To start it: systemctl start mariadb");
        return Ok(());
    }
    // Before the start: it changes how these stand.
    let skipped = to_start("mariadb.service", state_of);
    mariadb_service::start_mariadb()?;
    println!("MariaDB runs.");
    for unit in skipped {
        let _ = systemctl(&["reset-failed", "--", &unit], "");
        let next = format!("`systemctl status {unit}` tells more.");
        match systemctl(&["start", "--no-block", "--", &unit], &next) {
            Ok(()) => println!("{unit} was not started without MariaDB; it is started now."),
            Err(problem) => println!("{unit} was not started without MariaDB. {problem}"),
        }
    }
    Ok(())
}

fn state_of(unit: &str) -> UnitState {
    let properties = [
        &NEEDED_BY[..],
        &["ActiveState", "InactiveExitTimestampMonotonic"],
    ]
    .concat();
    UnitState::parse(&show(unit, &properties))
}

impl UnitState {
    /// Lines of NAME=VALUE.
    fn parse(text: &str) -> Self {
        let mut state = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "ActiveState" => state.active = value.into(),
                "InactiveExitTimestampMonotonic" => state.was_started = value != "0",
                name if NEEDED_BY.contains(&name) => {
                    let units = value.split_whitespace().map(str::to_owned);
                    state.needed_by.extend(units);
                }
                _ => {}
            }
        }
        state
    }

    fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading")
    }
}

/// The units that need `unit`, through others too, and are to be started: those that
/// have failed, and those that were never started though something that runs wants
/// them. What its owner has stopped stays stopped.
fn to_start(unit: &str, state_of: impl Fn(&str) -> UnitState) -> Vec<String> {
    let mut known = BTreeSet::from([unit.to_owned()]);
    let mut next = state_of(unit).needed_by;
    let mut found = Vec::new();
    while let Some(name) = next.pop() {
        if known.len() >= MAX || !known.insert(name.clone()) {
            continue;
        }
        let state = state_of(&name);
        // It has not waited for MariaDB, and nor has what needs it.
        if state.is_active() {
            continue;
        }
        let is_wanted = || state.needed_by.iter().any(|by| state_of(by).is_active());
        if state.active == "failed" || (!state.was_started && is_wanted()) {
            found.push(name);
        }
        next.extend(state.needed_by);
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKIPPED: &str = "inactive 0";
    const STOPPED: &str = "inactive 7";
    const FAILED: &str = "failed 7";
    const ACTIVE: &str = "active 7";

    /// Each unit: its name, how it stands, and what needs it.
    fn found(units: &[(&str, &str, &str)]) -> Vec<String> {
        to_start("mariadb.service", |name| {
            let unit = units.iter().find(|(unit, ..)| *unit == name);
            let (_, state, needed_by) = unit.unwrap_or(&("", "inactive 0", ""));
            let (active, since) = state.split_once(' ').unwrap();
            UnitState::parse(&format!(
                "ActiveState={active}\nInactiveExitTimestampMonotonic={since}\n\
                 RequiredBy={needed_by}\n"
            ))
        })
    }

    const SYSTEM: (&str, &str, &str) = ("multi-user.target", ACTIVE, "graphical.target");

    #[test]
    fn what_was_skipped_without_the_database_is_started() {
        let units = [
            (
                "mariadb.service",
                SKIPPED,
                "multi-user.target clinic.service",
            ),
            (
                "clinic.service",
                SKIPPED,
                "multi-user.target report.service",
            ),
            ("report.service", SKIPPED, "multi-user.target"),
            SYSTEM,
        ];
        assert_eq!(found(&units), ["clinic.service", "report.service"]);
    }

    #[test]
    fn what_has_failed_without_the_database_is_tried_again() {
        let units = [
            ("mariadb.service", SKIPPED, "clinic.service"),
            ("clinic.service", FAILED, ""),
        ];
        assert_eq!(found(&units), ["clinic.service"]);
    }

    #[test]
    fn what_nobody_wants_or_its_owner_has_stopped_stays_so() {
        let units = [
            (
                "mariadb.service",
                SKIPPED,
                "disabled.service stopped.service running.service",
            ),
            ("disabled.service", SKIPPED, ""),
            ("stopped.service", STOPPED, "multi-user.target"),
            ("running.service", ACTIVE, "other.service"),
            ("other.service", SKIPPED, "multi-user.target"),
            SYSTEM,
        ];
        assert_eq!(found(&units), [""; 0]);
    }

    #[test]
    fn units_that_need_each_other_are_looked_at_once() {
        let units = [
            ("mariadb.service", SKIPPED, "a.service"),
            ("a.service", SKIPPED, "b.service mariadb.service"),
            ("b.service", SKIPPED, "a.service multi-user.target"),
            SYSTEM,
        ];
        assert_eq!(found(&units), ["b.service"]);
    }
}
