//! Who has the server or its disk, and what of the place keeps them from the data.

use super::{Coverage, Threat, ThreatCoverage, row};
use crate::admin::commands::audit::data::StageFacts;
use crate::admin::commands::audit::facts::{EnrolledPlaces, Medium, SetupFacts};
use crate::environment::Strength;
use crate::theft::OnStrikes;
use crate::vault::Thresholds;

pub fn server(facts: &SetupFacts) -> ThreatCoverage {
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

pub fn disk(facts: &SetupFacts) -> ThreatCoverage {
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

pub fn neighbours(facts: &SetupFacts) -> ThreatCoverage {
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

pub fn after_reset(facts: &SetupFacts) -> ThreatCoverage {
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
