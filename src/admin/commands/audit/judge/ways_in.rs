//! Who has a stick or the code.

use super::{Coverage, Threat, ThreatCoverage, row};
use crate::admin::commands::audit::facts::SetupFacts;
use crate::admin::commands::audit::stick_in::StartsWithStick;

pub fn server_and_stick(facts: &SetupFacts) -> ThreatCoverage {
    let threat = Threat::ServerAndStick;
    let alone = stick(facts);
    let StartsWithStick { with, of } = facts.stick_in;
    match alone.coverage {
        Coverage::Partly if with > 0 => row(
            threat,
            Coverage::Partly,
            format!("one was in at {with} of {of} starts; a thief takes it, and tries PINs"),
        ),
        _ => ThreatCoverage { threat, ..alone },
    }
}

pub fn stick(facts: &SetupFacts) -> ThreatCoverage {
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

pub fn code(facts: &SetupFacts) -> ThreatCoverage {
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
