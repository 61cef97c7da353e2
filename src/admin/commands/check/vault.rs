//! The vault and the place: would the boot stage open it here? Pure.

use super::check_result::{CheckResult, Severity};
use crate::admin::factor_counts::counts_as_enrolled;
use crate::admin::own_addresses::AddressChange;
use crate::admin::problem::Problem;
use crate::environment::{Margin, Unsuitable};
use crate::opening::messages::Reason;
use crate::theft::{OnStrikes, TheftPolicy, TheftState, WayBack};
use crate::vault::locate::LocateError;
use crate::vault::{FactorCounts, Thresholds, VaultError};

/// The vault and the place, read with the boot stage's own code.
pub struct VaultFacts {
    /// As it stands on the disk: nothing was finished or mended.
    pub state: Result<TheftState, VaultError>,
    /// Not proven where the place does not open.
    pub policy: Option<TheftPolicy>,
    /// The owner wants a reset by strikes that is not in force.
    pub wants_reset: bool,
    /// Records of which only one copy is good.
    pub single_copies: Vec<&'static str>,
    /// Whether the place opens the vault.
    pub place: PlaceResult,
    /// Of cards that are switched off, in words; where somebody did not answer.
    pub unasked: Option<String>,
    /// Whether a reset now would leave a way in.
    pub way_back: WayBack,
}

/// Whether the place opens the vault.
pub enum PlaceResult {
    Opens {
        name: String,
        /// Only the slot that `stayput init` makes, which asks for no neighbour.
        setup: bool,
        same: FactorCounts,
        need: Thresholds,
        changed: Vec<String>,
        silent: Vec<String>,
        /// What was enrolled and would not be today, and why.
        unsuitable: Vec<(String, Unsuitable)>,
        /// Own addresses that have changed since they were enrolled.
        address_changes: Vec<AddressChange>,
        /// The place gave the key, but a record of the vault does not prove.
        altered: Option<LocateError>,
    },
    /// It does not; the reason as the prompt would give it.
    Locked(Reason),
}

/// Judges the vault, the place, the theft state and the policy. Pure.
pub fn judge(facts: &Result<VaultFacts, LocateError>) -> Vec<CheckResult> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            return vec![CheckResult::new(
                "vault",
                Severity::Wrong,
                error.to_string(),
                Problem::from(*error).next,
            )];
        }
    };
    let mut results = vec![copies(&facts.single_copies)];
    results.extend(place(&facts.place, facts.unasked.as_deref()));
    results.push(theft(facts));
    results.extend(policy(facts));
    results
}

fn copies(single_copies: &[&str]) -> CheckResult {
    const NAME: &str = "vault";
    if single_copies.is_empty() {
        return CheckResult::fine(NAME, "The vault is whole, in both copies.");
    }
    CheckResult::new(
        NAME,
        Severity::Warning,
        format!(
            "Of these parts of the vault one copy of two is good: {}.",
            single_copies.join(", ")
        ),
        "The next boot mends it. If this comes back, the disk begins to fail: make a stick, and \
         replace the disk.",
    )
}

fn place(place: &PlaceResult, unasked: Option<&str>) -> Vec<CheckResult> {
    const NAME: &str = "place";
    let warning = |what: String, next: &str| CheckResult::new(NAME, Severity::Warning, what, next);
    const WITH_CARDS: &str = "To ask there too, as a boot does: stayput check --cards";
    let (name, same, need) = match (place, unasked) {
        (PlaceResult::Locked(_), Some(unasked)) => {
            let what = format!("Whether this place opens the server is not known. {unasked}");
            return vec![CheckResult::new(NAME, Severity::Unknown, what, WITH_CARDS)];
        }
        (PlaceResult::Locked(reason), None) => {
            let what =
                format!("This place does not open the server. The prompt would say: {reason}");
            return vec![CheckResult::new(
                NAME,
                Severity::Wrong,
                what,
                reason.advice(),
            )];
        }
        (
            PlaceResult::Opens {
                altered: Some(error),
                ..
            },
            _,
        ) => {
            return vec![CheckResult::new(
                NAME,
                Severity::Wrong,
                error.to_string(),
                "Restart the server with a backup stick at hand, and type mend at the prompt.",
            )];
        }
        (PlaceResult::Opens { setup: true, .. }, _) => {
            return vec![warning(
                "This machine opens in any place: none is enrolled.".into(),
                "stayput enroll",
            )];
        }
        (
            PlaceResult::Opens {
                name, same, need, ..
            },
            _,
        ) => (name, same, need),
    };
    let PlaceResult::Opens {
        changed,
        silent,
        unsuitable,
        address_changes,
        ..
    } = place
    else {
        return Vec::new();
    };
    let what = format!(
        "The place \"{name}\" opens this server: {}.",
        counts_as_enrolled(*same, *need)
    );
    let mut results = vec![CheckResult::fine(NAME, what)];
    if let Some(unasked) = unasked {
        results.push(warning(unasked.into(), WITH_CARDS));
    }
    for (labels, what) in [(changed, "Not as enrolled"), (silent, "No answer")] {
        if !labels.is_empty() {
            results.push(warning(
                format!("{what}: {}.", labels.join(", ")),
                "Where it stays so: stayput enroll --refresh",
            ));
        }
    }
    for (label, why) in unsuitable {
        results.push(warning(
            format!("Enrolled, and would not be today: {label}: {why}."),
            "To choose what this place is known by anew: stayput enroll",
        ));
    }
    for change in address_changes {
        results.push(CheckResult::new(
            "address",
            Severity::Warning,
            format!("The address that this server has while it is locked: {change}."),
            "To take the one that it has now: stayput enroll --refresh",
        ));
    }
    if Margin::of(same, *need).is_used_up {
        results.push(CheckResult::new(
            "margin",
            Severity::Warning,
            "The margin is used up: one change more, and a boot asks for a stick.",
            "To take the place as it is now: stayput enroll --refresh",
        ));
    }
    results
}

fn theft(facts: &VaultFacts) -> CheckResult {
    const NAME: &str = "theft";
    let locked = |what: String| {
        let next = "Restart it with a backup stick or the recovery code at hand; stayput enroll \
                    then makes this its home again.";
        CheckResult::new(NAME, Severity::Wrong, what, next)
    };
    match facts.state {
        Ok(TheftState::Armed) => CheckResult::fine(NAME, "No starts in foreign places count."),
        Ok(TheftState::Suspect { strikes, .. }) => {
            let of = facts.policy.unwrap_or_default().strikes;
            CheckResult::new(
                NAME,
                Severity::Warning,
                format!("Starts in foreign places since it last opened: {strikes} of {of}."),
                "A start that opens clears them. What happened: stayput log",
            )
        }
        Ok(TheftState::ResetBegun { cause, .. }) => locked(format!(
            "A reset was begun and interrupted ({cause}): the next boot finishes it."
        )),
        Ok(TheftState::Reset { cause, .. }) => locked(format!("This server was reset, {cause}.")),
        Err(error) => locked(error.to_string()),
    }
}

fn policy(facts: &VaultFacts) -> Option<CheckResult> {
    const NAME: &str = "policy";
    let warning = |what: &str, next: &str| CheckResult::new(NAME, Severity::Warning, what, next);
    let Some(policy) = facts.policy else {
        return Some(warning(
            "The policy cannot be read.",
            "A backup stick and mend at the prompt put safe settings back.",
        ));
    };
    if policy.resets_by_itself() && facts.way_back == WayBack::None {
        return Some(warning(
            "The policy wants a reset when the server is stolen, and there would be none: neither \
             a verified stick nor a recovery code is listed.",
            "stayput stick verify DEVICE, or stayput code",
        ));
    }
    (facts.wants_reset && policy.on_strikes == OnStrikes::Halt).then(|| {
        warning(
            "Wanted, and not in force yet: a reset after too many starts in foreign places.",
            "With a verified stick that is kept elsewhere: stayput policy --on-strikes reset \
             --stick-kept \"WHERE\"",
        )
    })
}

#[cfg(test)]
mod tests;
