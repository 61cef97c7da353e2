//! What a finding leads to: the state to write, and what to do then.

use super::policy::{OnFailure, OnStrikes, TheftPolicy};
use super::state::{ResetCause, TheftState};

/// What a boot has come to know of where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A permitted combination opened.
    AtHome,
    /// Fewer neighbours than needed answered for the whole wait: a power cut,
    /// a cable, a router that still starts.
    Absent,
    /// Enough answered for the whole wait, and no combination opened.
    Foreign,
    /// Too few parts of the machine are there to try any combination: a
    /// repair, or the disk alone in another machine.
    ChangedMachine,
    /// No place can open the vault, wherever the server is.
    Damaged,
}

/// Whether a reset would leave the owner a way in: a verified stick that is
/// not plugged in, or a recovery code. See [`crate::vault::StickList::way_back`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// There is one, and the list of sticks has it.
    Listed,
    /// There is none that is known.
    None,
}

/// What to do when the state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Release the key.
    Open,
    /// Ask a person; nothing else.
    Ask,
    /// Ask, and start the system without the keys when nobody is there.
    AskThenGoOn,
    /// Destroy the pepper, then ask.
    Reset(ResetCause),
    /// The limit is reached, and the reset that the policy wants would destroy
    /// the last way in: ask, and log why.
    Withhold(ResetCause),
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Written to both copies before anything else is done or shown.
    pub write: Option<TheftState>,
    /// What is done after that.
    pub then: Then,
}

/// The whole of the theft state machine. `boot_id` is the kernel's random id
/// of this boot: one boot adds one strike at most, however often the stage is
/// started in it.
pub fn decide(
    state: &TheftState,
    policy: &TheftPolicy,
    finding: Finding,
    boot_id: [u8; 16],
    way_back: WayBack,
) -> Decision {
    let only = |then| Decision { write: None, then };
    match (state, finding) {
        // What was begun is finished; what was destroyed does not open.
        (TheftState::ResetBegun { cause, .. }, _) => only(Then::Reset(*cause)),
        (TheftState::Reset { .. }, _) => only(Then::Ask),
        (TheftState::Armed, Finding::AtHome) => only(Then::Open),
        (TheftState::Suspect { .. }, Finding::AtHome) => Decision {
            write: Some(TheftState::Armed),
            then: Then::Open,
        },
        (_, Finding::Foreign) => {
            let counted = match state {
                TheftState::Suspect {
                    boot_id: before, ..
                } => *before == boot_id,
                _ => false,
            };
            let strikes = state.strikes().saturating_add(u8::from(!counted));
            Decision {
                write: (!counted).then_some(TheftState::Suspect { strikes, boot_id }),
                then: after(strikes, policy, way_back),
            }
        }
        (_, Finding::Absent | Finding::ChangedMachine | Finding::Damaged) => {
            only(waiting(state.strikes(), policy))
        }
    }
}

/// After a strike, or one that this boot has counted before: a reset that the
/// power cut off before it was begun is begun now.
fn after(strikes: u8, policy: &TheftPolicy, way_back: WayBack) -> Then {
    match (policy.on_strikes, way_back) {
        (OnStrikes::Reset, WayBack::Listed) if policy.reached_by(strikes) => {
            Then::Reset(ResetCause::Strikes)
        }
        (OnStrikes::Reset, WayBack::None) if policy.reached_by(strikes) => {
            Then::Withhold(ResetCause::Strikes)
        }
        _ => waiting(strikes, policy),
    }
}

/// A server at its limit of strikes starts nothing without a key.
fn waiting(strikes: u8, policy: &TheftPolicy) -> Then {
    if policy.on_failure == OnFailure::Continue && !policy.reached_by(strikes) {
        Then::AskThenGoOn
    } else {
        Then::Ask
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
