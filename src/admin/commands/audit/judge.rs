//! Judges which threats a set-up covers: facts go in, rows come out. Pure, and
//! never kinder than the facts.

mod place;
mod ways_in;

use serde::Serialize;

use super::facts::{Leaked, RunningWatch, SetupFacts};
use crate::theft::OnAlarm;
use place::{after_reset, disk, neighbours, server};
use ways_in::{code, server_and_stick, stick};

/// What somebody has who wants the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Threat {
    /// The server, switched off.
    Server,
    /// Its disk alone.
    Disk,
    /// The server and what stands beside it.
    ServerAndNeighbours,
    /// The server and a backup stick.
    ServerAndStick,
    /// A backup stick alone.
    Stick,
    /// The server and its recovery code.
    ServerAndCode,
    /// The server, after a reset.
    ServerAfterReset,
    /// The server, and a copy of its disk from before.
    OldCopy,
    /// The disk for a while, to change what stands on it.
    EditedVault,
    /// The server while it runs.
    RunningServer,
    /// Time alone with it, before it is given back.
    GivenBack,
    /// What other programs have written down on its disk.
    Leaks,
}

impl Threat {
    /// Whether this thief reads what stands on the disk in the clear.
    const fn reads_the_disk(self) -> bool {
        match self {
            Self::Server
            | Self::Disk
            | Self::ServerAndNeighbours
            | Self::ServerAndStick
            | Self::ServerAndCode
            | Self::ServerAfterReset
            | Self::OldCopy
            | Self::EditedVault
            | Self::RunningServer
            | Self::GivenBack => true,
            Self::Stick | Self::Leaks => false,
        }
    }
}

/// How well somebody is kept from the data, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    NotCovered,
    /// It costs the thief some effort; the row says what.
    Partly,
    /// It costs more than anybody can spend.
    Covered,
}

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ThreatCoverage {
    /// Against whom.
    pub threat: Threat,
    /// How well.
    #[serde(rename = "verdict")]
    pub coverage: Coverage,
    /// One clause, of at most [`WHY_MAX`] characters.
    pub why: String,
}

/// Longest reason in characters: a row takes two lines of 79 columns.
pub const WHY_MAX: usize = 66;

/// The rows, in the order in which they are shown.
pub fn judge(facts: &SetupFacts) -> Vec<ThreatCoverage> {
    let mut rows = vec![
        server(facts),
        disk(facts),
        neighbours(facts),
        server_and_stick(facts),
        stick(facts),
        code(facts),
        after_reset(facts),
        row(
            Threat::OldCopy,
            Coverage::NotCovered,
            "a copy of the disk opens as it did then; no reset reaches it",
        ),
        row(
            Threat::EditedVault,
            Coverage::Covered,
            "what was changed opens nothing by itself; it can lock or destroy",
        ),
        running(facts),
        given_back(facts),
        leaks(facts),
    ];
    if let Some((coverage, why)) = facts.data.weakness() {
        let of_data = |row: &&mut ThreatCoverage| {
            row.threat.reads_the_disk()
                && (coverage == Coverage::NotCovered || coverage < row.coverage)
        };
        for found in rows.iter_mut().filter(of_data) {
            *found = row(found.threat, coverage, why.clone());
        }
    }
    rows
}

fn row(threat: Threat, coverage: Coverage, why: impl Into<String>) -> ThreatCoverage {
    let why = why.into();
    debug_assert!(why.chars().count() <= WHY_MAX, "{why}");
    ThreatCoverage {
        threat,
        coverage,
        why,
    }
}

fn running(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::RunningServer;
    let Some(watch) = facts.watch else {
        let why = "the database is open, and no watch runs";
        return row(threat, Coverage::NotCovered, why);
    };
    match watch {
        RunningWatch { neighbours: 0, .. } => row(
            threat,
            Coverage::NotCovered,
            "the database is open, and the watch has nobody to watch",
        ),
        RunningWatch {
            on_alarm: OnAlarm::Off | OnAlarm::Alert,
            ..
        } => row(
            threat,
            Coverage::NotCovered,
            "the database is open, and its keys are in memory",
        ),
        RunningWatch { enrolled: true, .. } => row(
            threat,
            Coverage::Partly,
            "open until the watch sees that it was carried away, minutes later",
        ),
        RunningWatch {
            enrolled: false, ..
        } => row(
            threat,
            Coverage::Partly,
            "open; the watch compares with what it found, not the enrolled",
        ),
    }
}

fn given_back(facts: &SetupFacts) -> ThreatCoverage {
    let why = match facts.secure_boot {
        Some(true) => "Secure Boot is on, but it does not look at the initramfs",
        Some(false) => "Secure Boot is off: the initramfs can be changed",
        None => "there is no Secure Boot: the initramfs can be changed",
    };
    row(Threat::GivenBack, Coverage::NotCovered, why)
}

fn leaks(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::Leaks;
    let Some(leaked) = facts.leaked else {
        return row(threat, Coverage::Partly, "nobody has searched for them");
    };
    match leaked {
        Leaked {
            neighbours: 0,
            incomplete: false,
            ..
        } => row(
            threat,
            Coverage::Covered,
            "no enrolled hardware address was found in logs and settings",
        ),
        Leaked { neighbours: 0, .. } => row(
            threat,
            Coverage::Partly,
            "nothing was found, but some files could not be searched",
        ),
        Leaked {
            neighbours, files, ..
        } => row(
            threat,
            Coverage::NotCovered,
            format!(
                "{neighbours} of {} neighbours' addresses stand in {files} files: --all",
                facts.neighbours
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
