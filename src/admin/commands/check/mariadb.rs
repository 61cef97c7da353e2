//! MariaDB: would the gate let it start, and do its keys stay in memory? Pure; the
//! facts come from `mariadb::assess_start`.

use std::path::Path;

use super::check_result::{CheckResult, Severity};
use crate::admin::mariadb::Door;
use crate::admin::mariadb::Process;
use crate::admin::mariadb::StartAssessment;
use crate::admin::mariadb::Unit;

/// `None` where the database was not given keys from here.
pub type MariadbFacts = Option<StartAssessment>;

const NAME: &str = "mariadb";
const INSTALL: &str = "stayput install";

/// Judges what was seen of MariaDB. Pure.
pub fn judge(facts: &MariadbFacts) -> Vec<CheckResult> {
    let Some(assessment) = facts else {
        let what = "MariaDB is not set up: it gets no keys from here.";
        let next = "stayput mariadb enable";
        return vec![CheckResult::new(NAME, Severity::Warning, what, next)];
    };
    let mut results = Vec::from_iter(gate(assessment));
    results.extend(unit(assessment));
    results.extend(start(assessment));
    results.extend(memory(assessment));
    results.extend(data(assessment));
    results.extend(version(assessment));
    results.extend(processes(assessment));
    if results.is_empty() {
        let what = match assessment.keys_tried {
            true => "MariaDB: the gate is in front of it, its keys and settings are right.",
            false => "MariaDB: the gate is in front of it, and its settings are right.",
        };
        results.push(CheckResult::fine(NAME, what));
    }
    results
}

/// A database that its owner keeps encrypted without stayput. Pure.
pub fn with_key_file(path: &Path) -> CheckResult {
    let what = format!(
        "MariaDB takes its keys from {}, a file on this server: whoever takes the server can read \
         the database.",
        path.display()
    );
    let next = "To have stayput keep them: stayput mariadb enable";
    CheckResult::new(NAME, Severity::Warning, what, next)
}

/// A move from behind the gate, or back, that was cut.
pub fn not_ended() -> CheckResult {
    let what = "A move of the database between the gate and a key file has not ended.";
    let next = "Run again what was interrupted: `stayput mariadb disable` or `enable`.";
    CheckResult::new(NAME, Severity::Wrong, what, next)
}

/// The gate's drop-ins.
fn gate(assessment: &StartAssessment) -> Option<CheckResult> {
    (!assessment.drop_ins.is_empty()).then(|| {
        let files = assessment.drop_ins.join(", ");
        let what = format!("What puts the gate in front of MariaDB is not as installed: {files}.");
        CheckResult::new("gate", Severity::Wrong, what, INSTALL)
    })
}

/// MariaDB's unit as systemd has loaded it.
fn unit(assessment: &StartAssessment) -> Vec<CheckResult> {
    const NAME: &str = "unit";
    let (Some(unit), Some(closed)) = (&assessment.unit, &assessment.closed) else {
        return vec![CheckResult::new(
            NAME,
            Severity::Unknown,
            "systemd does not tell how MariaDB's unit stands.",
            "`systemctl show mariadb.service` tells why.",
        )];
    };
    let mut results = Vec::new();
    let mut add = |severity, what: String, next: &str| {
        results.push(CheckResult::new(NAME, severity, what, next));
    };
    let state = unit.value("LoadState");
    if state != "loaded" {
        let next = "`systemctl status mariadb` tells more; `systemctl unmask mariadb` if it is \
                    masked.";
        add(
            Severity::Wrong,
            format!("MariaDB's unit is {state}: it does not start."),
            next,
        );
        return results;
    }
    if !unit
        .value("ExecCondition")
        .contains("/usr/sbin/stayput mariadb gate")
    {
        let next = "stayput install; an `ExecCondition=` in another drop-in may take it away: \
                    `systemctl cat mariadb`.";
        add(
            Severity::Wrong,
            "A start of MariaDB does not pass the gate.".into(),
            next,
        );
    }
    let is_enabled = |unit: &Unit| unit.value("UnitFileState") == "enabled";
    // Newer packages have a socket, which starts it when somebody connects.
    let by_socket = assessment.socket.as_ref().is_some_and(is_enabled);
    let ends_at_boot = ["disabled", "enabled-runtime", "masked", "masked-runtime"];
    if ends_at_boot.contains(&unit.value("UnitFileState")) && !by_socket {
        add(
            Severity::Wrong,
            "MariaDB does not start with the server.".into(),
            "systemctl enable mariadb",
        );
    }
    for (name, what) in [("MemorySwapMax", "swap"), ("LimitCORE", "a core dump")] {
        if unit.value(name) != "0" {
            let what = format!("MariaDB's keys could get into {what}: {name} is not 0.");
            add(Severity::Warning, what, INSTALL);
        }
    }
    if unit.value("NeedDaemonReload") == "yes" {
        let what = "systemd has not read MariaDB's unit since it was changed.";
        add(Severity::Warning, what.into(), "systemctl daemon-reload");
    }
    if closed.value("UnitFileState") != "enabled" {
        let what = "MariaDB's data is not closed when the system starts.";
        add(Severity::Warning, what.into(), INSTALL);
    }
    results
}

/// The gate's decision about a start now.
fn start(assessment: &StartAssessment) -> Vec<CheckResult> {
    let mut results: Vec<CheckResult> = match &assessment.faults {
        Err((what, next)) => {
            vec![CheckResult::new(
                "settings",
                Severity::Wrong,
                format!("MariaDB: {what}."),
                next,
            )]
        }
        Ok(faults) => {
            let wrong = |(what, next): &(String, String)| {
                let what = format!("The gate would not let MariaDB start: {what}.");
                CheckResult::new("settings", Severity::Wrong, what, next)
            };
            faults.iter().map(wrong).collect()
        }
    };
    if let Some(uid) = assessment.other_user {
        results.push(CheckResult::new(
            "key_file",
            Severity::Wrong,
            format!("The key file would be given to user {uid}, which MariaDB does not run as."),
            "stayput mariadb enable",
        ));
    }
    results
}

fn memory(assessment: &StartAssessment) -> Vec<CheckResult> {
    let dangers = assessment.dangers.iter();
    let results = dangers.map(|(what, next)| {
        let what = format!("MariaDB's keys could get onto the disk: {what}.");
        // The words are those of a command that takes such an option.
        let next = match next.starts_with("Add --swap") {
            true => "stayput mariadb enable --swap zram",
            false => next,
        };
        CheckResult::new("memory", Severity::Warning, what, next)
    });
    results.collect()
}

fn data(assessment: &StartAssessment) -> Vec<CheckResult> {
    const NAME: &str = "data";
    let wrong = |what: &str, next: &str| CheckResult::new(NAME, Severity::Wrong, what, next);
    // Said already: where the data lies stands in the check file.
    let Some(door) = assessment.door else {
        return Vec::new();
    };
    let mut results = Vec::new();
    if !assessment.has_data {
        results.push(wrong(
            "MariaDB's real data directory is empty or missing.",
            "Is its disk mounted? Otherwise restore the database from a backup.",
        ));
    }
    match (door, assessment.runs) {
        (Door::Foreign, _) => results.push(wrong(
            "Where MariaDB looks for its data there are files that are not this server's database.",
            "Move them away: the gate names them when MariaDB is started.",
        )),
        (Door::Open, false) => results.push(CheckResult::new(
            NAME,
            Severity::Warning,
            "MariaDB is stopped, and its data stands open.",
            "stayput mariadb close",
        )),
        (Door::Unguarded | Door::Missing, _) => results.push(CheckResult::new(
            NAME,
            Severity::Warning,
            "Where MariaDB looks for its data somebody could write.",
            "The next start of MariaDB mends it.",
        )),
        (Door::Open | Door::Covered | Door::Bare, _) => {}
    }
    results
}

/// A version of MariaDB that the gate only warns of.
fn version(assessment: &StartAssessment) -> Option<CheckResult> {
    let fault = assessment.version.as_ref()?;
    let what = format!("{fault}.");
    Some(CheckResult::new(
        "version",
        Severity::Warning,
        what,
        fault.next(),
    ))
}

/// The mariadbd processes that run now.
fn processes(assessment: &StartAssessment) -> Vec<CheckResult> {
    const NAME: &str = "process";
    let mut results = Vec::new();
    if let Some(why) = &assessment.not_serving {
        let what = format!("The MariaDB that runs does not serve this server's database: {why}.");
        let next = "`systemctl cat mariadb` shows what starts it; remove what was added, then \
                    `systemctl restart mariadb`.";
        results.push(CheckResult::new(NAME, Severity::Wrong, what, next));
    }
    for Process {
        pid,
        program,
        directory,
        in_container,
        known,
        ..
    } in &assessment.others
    {
        let place = directory.as_ref().map_or_else(
            || "a place that is not known".into(),
            |directory| directory.display().to_string(),
        );
        let (severity, what) = match (known, in_container) {
            (false, _) => (
                Severity::Unknown,
                format!("Process {pid} ({program}) cannot be looked at; it may be a MariaDB."),
            ),
            // In a container of its own it has files of its own.
            (true, true) => continue,
            (true, false) => (
                Severity::Warning,
                format!(
                    "Another MariaDB runs, without keys: {program}, process {pid}, in {place}."
                ),
            ),
        };
        let next =
            "Only mariadb.service is encrypted: `systemctl status PID` tells what started it.";
        results.push(CheckResult::new(NAME, severity, what, next));
    }
    results
}

#[cfg(test)]
mod tests;
