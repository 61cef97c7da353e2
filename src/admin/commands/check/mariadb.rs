//! MariaDB: would the gate let it start, and do its keys stay in memory? Pure;
//! `admin::mariadb` looks.

use super::outcome::{Finding, Verdict};
use crate::admin::mariadb::Door;
use crate::admin::mariadb::Process;
use crate::admin::mariadb::Standing;
use crate::admin::mariadb::Unit;

/// `None` where the database was not given keys from here.
pub type MariadbFacts = Option<Standing>;

const NAME: &str = "mariadb";
const INSTALL: &str = "stayput install";

pub fn judge(facts: &MariadbFacts) -> Vec<Finding> {
    let Some(standing) = facts else {
        let what = "MariaDB is not set up: it gets no keys from here.";
        let next = "stayput mariadb enable";
        return vec![Finding::new(NAME, Verdict::Warning, what, next)];
    };
    let mut findings = Vec::from_iter(gate(standing));
    findings.extend(unit(standing.unit.as_ref(), standing.closed.as_ref()));
    findings.extend(start(standing));
    findings.extend(memory(standing));
    findings.extend(data(standing));
    findings.extend(version(standing));
    findings.extend(processes(standing));
    if findings.is_empty() {
        let what = match standing.keys_tried {
            true => "MariaDB: the gate is in front of it, its keys and settings are right.",
            false => "MariaDB: the gate is in front of it, and its settings are right.",
        };
        findings.push(Finding::fine(NAME, what));
    }
    findings
}

/// The files that put the gate in front.
fn gate(standing: &Standing) -> Option<Finding> {
    (!standing.drop_ins.is_empty()).then(|| {
        let files = standing.drop_ins.join(", ");
        let what = format!("What puts the gate in front of MariaDB is not as installed: {files}.");
        Finding::new("gate", Verdict::Wrong, what, INSTALL)
    })
}

/// What systemd makes of them.
fn unit(unit: Option<&Unit>, closed: Option<&Unit>) -> Vec<Finding> {
    const NAME: &str = "unit";
    let (Some(unit), Some(closed)) = (unit, closed) else {
        return vec![Finding::new(
            NAME,
            Verdict::Unknown,
            "systemd does not tell how MariaDB's unit stands.",
            "`systemctl show mariadb.service` tells why.",
        )];
    };
    let mut findings = Vec::new();
    let mut add = |verdict, what: String, next: &str| {
        findings.push(Finding::new(NAME, verdict, what, next));
    };
    let state = unit.value("LoadState");
    if state != "loaded" {
        let next = "`systemctl status mariadb` tells more; `systemctl unmask mariadb` if it is \
                    masked.";
        add(
            Verdict::Wrong,
            format!("MariaDB's unit is {state}: it does not start."),
            next,
        );
        return findings;
    }
    if !unit
        .value("ExecCondition")
        .contains("/usr/sbin/stayput mariadb gate")
    {
        let next = "stayput install; an `ExecCondition=` in another drop-in may take it away: \
                    `systemctl cat mariadb`.";
        add(
            Verdict::Wrong,
            "A start of MariaDB does not pass the gate.".into(),
            next,
        );
    }
    if unit.value("UnitFileState") == "disabled" {
        let next = "`systemctl enable mariadb`, if it shall start with the server.";
        add(
            Verdict::Warning,
            "MariaDB does not start by itself.".into(),
            next,
        );
    }
    for (name, what) in [("MemorySwapMax", "swap"), ("LimitCORE", "a core dump")] {
        if unit.value(name) != "0" {
            let what = format!("MariaDB's keys could get into {what}: {name} is not 0.");
            add(Verdict::Warning, what, INSTALL);
        }
    }
    if unit.value("NeedDaemonReload") == "yes" {
        let what = "systemd has not read MariaDB's unit since it was changed.";
        add(Verdict::Warning, what.into(), "systemctl daemon-reload");
    }
    if closed.value("UnitFileState") != "enabled" {
        let what = "MariaDB's data is not closed when the system starts.";
        add(Verdict::Warning, what.into(), INSTALL);
    }
    findings
}

/// What the gate would say.
fn start(standing: &Standing) -> Vec<Finding> {
    let mut findings: Vec<Finding> = match &standing.faults {
        Err((what, next)) => {
            vec![Finding::new(
                "settings",
                Verdict::Wrong,
                format!("MariaDB: {what}."),
                next,
            )]
        }
        Ok(faults) => {
            let wrong = |(what, next): &(String, String)| {
                let what = format!("The gate would not let MariaDB start: {what}.");
                Finding::new("settings", Verdict::Wrong, what, next)
            };
            faults.iter().map(wrong).collect()
        }
    };
    if let Some(uid) = standing.other_user {
        findings.push(Finding::new(
            "key-file",
            Verdict::Wrong,
            format!("The key file would be given to user {uid}, which MariaDB does not run as."),
            "stayput mariadb enable",
        ));
    }
    findings
}

fn memory(standing: &Standing) -> Vec<Finding> {
    let dangers = standing.dangers.iter();
    let findings = dangers.map(|(what, next)| {
        let what = format!("MariaDB's keys could get onto the disk: {what}.");
        // The words are those of a command that takes such an option.
        let next = match next.starts_with("Add --swap") {
            true => "stayput mariadb enable --swap zram",
            false => next,
        };
        Finding::new("memory", Verdict::Warning, what, next)
    });
    findings.collect()
}

fn data(standing: &Standing) -> Vec<Finding> {
    const NAME: &str = "data";
    let wrong = |what: &str, next: &str| Finding::new(NAME, Verdict::Wrong, what, next);
    // Said already: where the data lies stands in the check file.
    let Some(door) = standing.door else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if !standing.has_data {
        findings.push(wrong(
            "MariaDB's real data directory is empty or missing.",
            "Is its disk mounted? Otherwise restore the database from a backup.",
        ));
    }
    match (door, standing.runs) {
        (Door::Foreign, _) => findings.push(wrong(
            "Where MariaDB looks for its data there are files that are not this server's database.",
            "Move them away: the gate names them when MariaDB is started.",
        )),
        (Door::Open, false) => findings.push(Finding::new(
            NAME,
            Verdict::Warning,
            "MariaDB is stopped, and its data stands open.",
            "stayput mariadb close",
        )),
        (Door::Unguarded | Door::Missing, _) => findings.push(Finding::new(
            NAME,
            Verdict::Warning,
            "Where MariaDB looks for its data somebody could write.",
            "The next start of MariaDB mends it.",
        )),
        (Door::Open | Door::Covered | Door::Bare, _) => {}
    }
    findings
}

/// A version that the gate only warns of.
fn version(standing: &Standing) -> Option<Finding> {
    let fault = standing.version.as_ref()?;
    let what = format!("{fault}.");
    Some(Finding::new(
        "version",
        Verdict::Warning,
        what,
        fault.next(),
    ))
}

/// What runs, beside what would be started.
fn processes(standing: &Standing) -> Vec<Finding> {
    const NAME: &str = "process";
    let mut findings = Vec::new();
    if let Some(why) = &standing.not_serving {
        let what = format!("The MariaDB that runs does not serve this server's database: {why}.");
        let next = "`systemctl cat mariadb` shows what starts it; remove what was added, then \
                    `systemctl restart mariadb`.";
        findings.push(Finding::new(NAME, Verdict::Wrong, what, next));
    }
    for Process {
        pid,
        program,
        directory,
        in_container,
        known,
        ..
    } in &standing.others
    {
        let place = directory.as_ref().map_or_else(
            || "a place that is not known".into(),
            |directory| directory.display().to_string(),
        );
        let (verdict, what) = match (known, in_container) {
            (false, _) => (
                Verdict::Unknown,
                format!("Process {pid} ({program}) cannot be looked at; it may be a MariaDB."),
            ),
            // Its files are its own affair.
            (true, true) => continue,
            (true, false) => (
                Verdict::Warning,
                format!(
                    "Another MariaDB runs, without keys: {program}, process {pid}, in {place}."
                ),
            ),
        };
        let next =
            "Only mariadb.service is encrypted: `systemctl status PID` tells what started it.";
        findings.push(Finding::new(NAME, verdict, what, next));
    }
    findings
}

#[cfg(test)]
#[path = "mariadb_tests.rs"]
mod tests;
