//! Judges which threats a set-up covers: facts go in, rows come out. Pure, and
//! never kinder than the facts.

use serde::Serialize;

use super::data::StageFacts;
use super::facts::{EnrolledPlaces, Leaked, Medium, RunningWatch, SetupFacts};
use crate::environment::Strength;
use crate::theft::{OnAlarm, OnStrikes};
use crate::vault::Thresholds;

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

fn server(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::Server;
    let Some(need) = facts.weakest().map(|need| need.neighbours) else {
        return closed(threat, facts);
    };
    match (facts.strength, facts.passphrases) {
        (Strength::Soft, _) => {}
        (Strength::Public, _) => {
            let why = "a key server has a public address: who can ask it, has the key";
            return row(threat, Coverage::Partly, why);
        }
        (Strength::Strong, 0) => {
            let why = "strong: without its key servers nobody can compute the key";
            return row(threat, Coverage::Covered, why);
        }
        (Strength::Strong, some) => {
            let why = format!("the place is strong; one of {some} passphrases can be guessed");
            return row(threat, Coverage::Partly, why);
        }
    }
    if need == 0 {
        let why = "nothing of the place is needed: it opens anywhere";
        return row(threat, Coverage::NotCovered, why);
    }
    let left = facts.left_to_guess(need);
    if left == 0 {
        let why = "a prompt elsewhere, but its own disk says what opens it: see below";
        return row(threat, Coverage::NotCovered, why);
    }
    row(threat, Coverage::Partly, soft(left, facts.passphrases))
}

/// What hardware addresses that are not on the disk are worth: the maker's half of each
/// can be looked up. The pepper is on the disk, so a passphrase too can be guessed
/// without asking.
fn soft(left: u8, passphrases: usize) -> String {
    let bits = 24 * u32::from(left);
    match passphrases {
        0 => format!("soft: a prompt elsewhere, but {bits} bits can be guessed offline"),
        some => format!("soft: {bits} bits, or one of {some} passphrases, can be guessed offline"),
    }
}

fn disk(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::Disk;
    let Some(need) = facts.weakest() else {
        return closed(threat, facts);
    };
    match need {
        // The machine only adds to what the key servers hold back.
        _ if facts.strength != Strength::Soft => ThreatCoverage {
            threat,
            ..server(facts)
        },
        Thresholds { neighbours: 0, .. } => row(
            threat,
            Coverage::Partly,
            "soft: it needs the machine's serial numbers, which can be guessed",
        ),
        // Without the machine it is as good as the server.
        Thresholds { machine: 0, .. } => ThreatCoverage {
            threat,
            ..server(facts)
        },
        _ if facts.left_to_guess(need.neighbours) == 0 => row(
            threat,
            Coverage::Partly,
            "soft: the place stands on it, the machine's numbers can be guessed",
        ),
        _ if facts.passphrases > 0 => row(
            threat,
            Coverage::Partly,
            "soft: place and machine, or a passphrase, can be guessed offline",
        ),
        _ => row(
            threat,
            Coverage::Partly,
            "soft: first the place, then the machine can be guessed offline",
        ),
    }
}

fn neighbours(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::ServerAndNeighbours;
    if let (Some(need), true) = (facts.weakest(), facts.strength != Strength::Soft) {
        let away = (facts.servers + 1).saturating_sub(need.servers);
        let why = match need.servers {
            0 => "unless its key servers stay behind".to_owned(),
            _ => format!("unless {away} of {} key servers stay behind", facts.servers),
        };
        return row(threat, Coverage::NotCovered, why);
    }
    match facts.weakest().map(|need| need.neighbours) {
        None => closed(threat, facts),
        Some(0) => row(
            threat,
            Coverage::NotCovered,
            "nothing of the place is needed: it opens anywhere",
        ),
        Some(need) => {
            let away = (facts.neighbours + 1).saturating_sub(need);
            row(
                threat,
                Coverage::NotCovered,
                format!(
                    "unless {away} of {} neighbours stay behind",
                    facts.neighbours
                ),
            )
        }
    }
}

fn server_and_stick(facts: &SetupFacts) -> ThreatCoverage {
    ThreatCoverage {
        threat: Threat::ServerAndStick,
        ..stick(facts)
    }
}

fn stick(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::Stick;
    match facts {
        SetupFacts {
            without_pin: 0,
            removed_without_pin: 0,
            sticks: 0,
            ..
        } => row(
            threat,
            Coverage::Partly,
            "none is listed; without one a repair can cost the data",
        ),
        SetupFacts {
            without_pin: 0,
            removed_without_pin: 0,
            log_is_whole: false,
            ..
        } => row(
            threat,
            Coverage::Partly,
            "its PIN; the log tells nothing of one without, taken off before",
        ),
        SetupFacts {
            without_pin: 0,
            removed_without_pin: 0,
            ..
        } => row(
            threat,
            Coverage::Partly,
            "as good as its PIN: four digits fall within an hour",
        ),
        SetupFacts {
            without_pin,
            removed_without_pin,
            sticks,
            ..
        } => row(
            threat,
            Coverage::NotCovered,
            match removed_without_pin {
                0 => format!("{without_pin} of {sticks} have no PIN: they are the key"),
                removed => format!(
                    "{} have no PIN and are the key, {removed} of them off the list",
                    without_pin + removed
                ),
            },
        ),
    }
}

fn code(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::ServerAndCode;
    match facts.code {
        true => row(
            threat,
            Coverage::NotCovered,
            "the code is the key, wherever it is written down",
        ),
        false => row(
            threat,
            Coverage::Partly,
            "none is listed; one that was written down before is the key",
        ),
    }
}

fn after_reset(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::ServerAfterReset;
    if !matches!(facts.places, EnrolledPlaces::Open(_)) {
        return closed(threat, facts);
    }
    let by_itself = match (facts.theft.on_strikes, facts.verified) {
        (OnStrikes::Halt, _) => "it is never done by itself",
        _ if facts.data.stage == StageFacts::Missing => "no boot stage does it by itself",
        (OnStrikes::Reset, true) => "done by itself at the limit of strikes",
        (OnStrikes::Reset, false) => "withheld: no stick or code was verified",
    };
    let left = match facts.medium {
        Medium::Flash => "flash may keep a copy",
        Medium::Magnetic => "nothing stays behind",
        Medium::Unknown => "this disk may keep a copy",
    };
    let coverage = match facts.medium {
        Medium::Magnetic => Coverage::Covered,
        Medium::Flash | Medium::Unknown => Coverage::Partly,
    };
    row(threat, coverage, format!("{left}; {by_itself}"))
}

/// No place is known to open the vault: after a reset the pepper is gone, as far as the
/// disk lets go. What only could not be read may open it elsewhere.
fn closed(threat: Threat, facts: &SetupFacts) -> ThreatCoverage {
    if facts.places == EnrolledPlaces::Unreadable {
        let why = "its places cannot be read: what opens it is not known";
        return row(threat, Coverage::NotCovered, why);
    }
    match facts.medium {
        Medium::Magnetic => row(
            threat,
            Coverage::Covered,
            "its key is destroyed: only a stick opens it",
        ),
        Medium::Flash | Medium::Unknown => row(
            threat,
            Coverage::Partly,
            "its key is destroyed, but the disk may keep a copy of it",
        ),
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
