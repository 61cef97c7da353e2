//! MariaDB after a release in the running system, and the units that systemd did not
//! start because MariaDB did not (systemd.unit(5): Requires=, BindsTo=, Requisite=), or
//! that have failed without it (Wants=).

use std::collections::BTreeSet;

use crate::admin::mariadb_service;
use crate::admin::problem::Result;
use crate::admin::systemd::{is_up, running, show, systemctl};

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
    /// Whether systemd has a job for it that is not done. A target is inactive until
    /// it is reached; while the system starts, only its job tells that it will be.
    has_job: bool,
    /// Whether it is enabled, and so on, in systemd's word.
    unit_file: String,
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
        &[
            "ActiveState",
            "Job",
            "UnitFileState",
            "InactiveExitTimestampMonotonic",
        ],
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
                "Job" => state.has_job = !matches!(value, "" | "0"),
                "UnitFileState" => state.unit_file = value.into(),
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
        is_up(&self.active)
    }

    /// Whether it has failed, or was never started, and is not about to be. What was
    /// stopped is neither.
    fn is_left_out(&self) -> bool {
        !self.has_job && (self.has_failed() || !self.was_started)
    }

    fn has_failed(&self) -> bool {
        self.active == "failed"
    }

    fn is_masked(&self) -> bool {
        self.unit_file.starts_with("masked")
    }

    fn is_disabled(&self) -> bool {
        self.unit_file == "disabled"
    }
}

/// The units that need `unit`, through others too, and are to be started: those that
/// have failed, and those that were never started though something that runs, or is
/// about to, wants them. What its owner has stopped, disabled or masked stays so.
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
        let runs = |unit: &String| {
            let state = state_of(unit);
            state.is_active() || state.has_job
        };
        let is_wanted = || state.needed_by.iter().any(runs);
        // By hand too, and with nothing that wants it, a unit may have been started.
        let was_tried = state.has_failed() && !state.is_disabled();
        if !state.is_masked() && state.is_left_out() && (was_tried || is_wanted()) {
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
    /// The system is being started; a slow unit holds the target back.
    const QUEUED: &str = "inactive 0 enabled 12";
    const FAILED_THEN_DISABLED: &str = "failed 7 disabled";
    const FAILED_THEN_MASKED: &str = "failed 7 masked";

    /// Each unit: its name, how it stands, and what needs it.
    fn found(units: &[(&str, &str, &str)]) -> Vec<String> {
        to_start("mariadb.service", |name| {
            let unit = units.iter().find(|(unit, ..)| *unit == name);
            let (_, state, needed_by) = unit.unwrap_or(&("", "inactive 0", ""));
            let mut words = state.split(' ');
            let mut next = || words.next().unwrap_or_default();
            UnitState::parse(&format!(
                "ActiveState={}\nInactiveExitTimestampMonotonic={}\nUnitFileState={}\n\
                 Job={}\nRequiredBy={needed_by}\n",
                next(),
                next(),
                next(),
                next(),
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
    fn what_a_system_that_still_starts_wants_is_started() {
        let units = [
            (
                "mariadb.service",
                SKIPPED,
                "multi-user.target clinic.service",
            ),
            ("clinic.service", SKIPPED, "multi-user.target"),
            ("multi-user.target", QUEUED, "graphical.target"),
            ("graphical.target", QUEUED, ""),
        ];
        // The targets come by the jobs that they have.
        assert_eq!(found(&units), ["clinic.service"]);
    }

    #[test]
    fn what_failed_and_was_disabled_or_masked_stays_so() {
        let units = [
            ("mariadb.service", SKIPPED, "old.service masked.service"),
            ("old.service", FAILED_THEN_DISABLED, ""),
            ("masked.service", FAILED_THEN_MASKED, "multi-user.target"),
            SYSTEM,
        ];
        assert_eq!(found(&units), [""; 0]);
    }

    #[test]
    fn a_disabled_unit_that_another_one_needs_is_started() {
        let units = [
            ("mariadb.service", SKIPPED, "worker.service"),
            ("worker.service", FAILED_THEN_DISABLED, "clinic.service"),
            ("clinic.service", ACTIVE, "multi-user.target"),
            SYSTEM,
        ];
        assert_eq!(found(&units), ["worker.service"]);
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
