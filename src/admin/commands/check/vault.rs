//! The vault and the place: would the boot stage open it here? Pure.

use super::outcome::{Finding, Verdict};
use crate::admin::own_addresses::Moved;
use crate::environment::Margin;
use crate::opening::messages::Reason;
use crate::theft::{OnStrikes, TheftPolicy, TheftState, WayBack};
use crate::vault::locate::LocateError;
use crate::vault::{Answered, Thresholds, VaultError};

/// What was seen with the boot stage's own eyes.
pub struct VaultFacts {
    /// Read as it stands: nothing was finished or mended.
    pub state: Result<TheftState, VaultError>,
    /// Not proven where the place does not open.
    pub policy: Option<TheftPolicy>,
    /// The owner wants a reset by strikes that is not in force.
    pub wants_reset: bool,
    /// Records of which only one copy is good.
    pub once: Vec<&'static str>,
    pub place: Place,
    /// Whether a reset now would leave a way in.
    pub way_back: WayBack,
}

/// Whether the place opens the vault.
pub enum Place {
    Opens {
        name: String,
        /// Only the slot that `stayput init` makes, which asks for no neighbour.
        setup: bool,
        same: Answered,
        need: Thresholds,
        changed: Vec<String>,
        silent: Vec<String>,
        /// Own addresses that are others now.
        moved: Vec<Moved>,
        /// The key opened it, and something in the vault does not fit the key.
        altered: Option<VaultError>,
    },
    /// In the prompt's words.
    Locked(Reason),
}

pub fn judge(facts: &Result<VaultFacts, LocateError>) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            return vec![Finding::new(
                "vault",
                Verdict::Wrong,
                error.to_string(),
                "Check that the server's disk is connected; a backup stick holds the key too.",
            )];
        }
    };
    let mut findings = vec![copies(&facts.once)];
    findings.extend(place(&facts.place));
    findings.push(theft(facts));
    findings.extend(policy(facts));
    findings
}

fn copies(once: &[&str]) -> Finding {
    const NAME: &str = "vault";
    if once.is_empty() {
        return Finding::fine(NAME, "The vault is whole, in both copies.");
    }
    Finding::new(
        NAME,
        Verdict::Warning,
        format!(
            "Of these parts of the vault one copy of two is good: {}.",
            once.join(", ")
        ),
        "The next boot mends it. If this comes back, the disk begins to fail: make a stick, and \
         replace the disk.",
    )
}

fn place(place: &Place) -> Vec<Finding> {
    const NAME: &str = "place";
    let warning = |what: String, next: &str| Finding::new(NAME, Verdict::Warning, what, next);
    let (name, same, need) = match place {
        Place::Locked(reason) => {
            let what =
                format!("This place does not open the server. The prompt would say: {reason}");
            return vec![Finding::new(NAME, Verdict::Wrong, what, reason.advice())];
        }
        Place::Opens {
            altered: Some(error),
            ..
        } => {
            return vec![Finding::new(
                NAME,
                Verdict::Wrong,
                error.to_string(),
                "Restart the server with a backup stick at hand, and type mend at the prompt.",
            )];
        }
        Place::Opens { setup: true, .. } => {
            return vec![warning(
                "This machine opens in any place: none is enrolled.".into(),
                "stayput enroll",
            )];
        }
        Place::Opens {
            name, same, need, ..
        } => (name, same, need),
    };
    let Place::Opens {
        changed,
        silent,
        moved,
        ..
    } = place
    else {
        return Vec::new();
    };
    let servers = match same.servers_of {
        0 => String::new(),
        of => format!(
            ", {} of {of} key servers ({} needed)",
            same.servers, need.servers
        ),
    };
    let what = format!(
        "The place \"{name}\" opens this server: {} of {} machine factors as enrolled ({} needed), \
         {} of {} neighbours ({} needed){servers}.",
        same.machine, same.machine_of, need.machine, same.place, same.place_of, need.place
    );
    let mut findings = vec![Finding::fine(NAME, what)];
    for (labels, what) in [(changed, "Not as enrolled"), (silent, "No answer")] {
        if !labels.is_empty() {
            findings.push(warning(
                format!("{what}: {}.", labels.join(", ")),
                "Where it stays so: stayput enroll --refresh",
            ));
        }
    }
    for moved in moved {
        findings.push(Finding::new(
            "address",
            Verdict::Warning,
            format!("The address that this server has while it is locked: {moved}."),
            "To take the one that it has now: stayput enroll --refresh",
        ));
    }
    if Margin::of(same, *need).is_used_up {
        findings.push(Finding::new(
            "margin",
            Verdict::Warning,
            "The margin is used up: one change more, and a boot asks for a stick.",
            "To take the place as it is now: stayput enroll --refresh",
        ));
    }
    findings
}

fn theft(facts: &VaultFacts) -> Finding {
    const NAME: &str = "theft";
    let locked = |what: String| {
        let next = "Restart it with a backup stick or the recovery code at hand; stayput enroll \
                    then makes this its home again.";
        Finding::new(NAME, Verdict::Wrong, what, next)
    };
    match facts.state {
        Ok(TheftState::Armed) => Finding::fine(NAME, "No starts in foreign places count."),
        Ok(TheftState::Suspect { strikes, .. }) => {
            let of = facts.policy.unwrap_or_default().strikes;
            Finding::new(
                NAME,
                Verdict::Warning,
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

fn policy(facts: &VaultFacts) -> Option<Finding> {
    const NAME: &str = "policy";
    let warning = |what: &str, next: &str| Finding::new(NAME, Verdict::Warning, what, next);
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
#[path = "vault_tests.rs"]
mod tests;
