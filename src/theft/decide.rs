//! The theft state machine: from an assessment of the place to the state to
//! write and what is done then.

use super::policy::{OnFailure, OnStrikes, TheftPolicy};
use super::state::{ResetCause, TheftState};

/// What a boot has found out about the place where the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// A permitted combination opened the vault.
    AtHome,
    /// For the whole wait fewer neighbours answered than are needed: a power
    /// cut, a missing cable, a router that is starting.
    Absent,
    /// Enough neighbours answered for the whole wait, no combination opened, and no
    /// witness of a place agreed.
    Foreign,
    /// The place is an enrolled one, and the machine is not as it was enrolled; or
    /// too few parts of it are there to try a combination. A repair, or the disk in
    /// another machine.
    ChangedMachine,
    /// The neighbours are the enrolled ones, and too many key servers do not know
    /// their key any more, or others answer in their place.
    KeyServerLost,
    /// No place can open the vault, wherever the server is.
    Damaged,
}

/// Whether the owner has a way in after a reset: a verified stick that is not
/// plugged in, or a recovery code. See [`crate::vault::StickList::way_back`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// The list of sticks has one.
    Listed,
    /// None is known.
    None,
}

/// What is done once the state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootResponse {
    /// Release the key.
    Open,
    /// Ask a person, and wait.
    Ask,
    /// Ask a person, and start the system without the keys when nobody is
    /// there.
    AskThenGoOn,
    /// Destroy the pepper, then ask a person.
    Reset(ResetCause),
    /// Ask a person, and log that a reset was due but would destroy the last
    /// way in.
    Withhold(ResetCause),
}

/// What follows from an assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The state to write to both copies, before anything else is done or
    /// shown.
    pub write: Option<TheftState>,
    /// What is done then.
    pub then: BootResponse,
}

/// Decides what an assessment leads to. `boot_id` is the kernel's random id of
/// this boot: one boot adds one strike at most, however often the stage starts
/// in it.
pub fn decide(
    state: &TheftState,
    policy: &TheftPolicy,
    assessment: Assessment,
    boot_id: [u8; 16],
    way_back: WayBack,
) -> Decision {
    let only = |then| Decision { write: None, then };
    match (state, assessment) {
        // A reset that was begun is finished; after a reset no place opens.
        (TheftState::ResetBegun { cause, .. }, _) => only(BootResponse::Reset(*cause)),
        (TheftState::Reset { .. }, _) => only(BootResponse::Ask),
        (TheftState::Armed, Assessment::AtHome) => only(BootResponse::Open),
        (TheftState::Suspect { .. }, Assessment::AtHome) => Decision {
            write: Some(TheftState::Armed),
            then: BootResponse::Open,
        },
        (_, Assessment::Foreign) => {
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
        (
            _,
            Assessment::Absent
            | Assessment::ChangedMachine
            | Assessment::KeyServerLost
            | Assessment::Damaged,
        ) => only(waiting(state.strikes(), policy)),
    }
}

/// What is done after a strike. It may have been counted earlier in this boot:
/// a reset that a power cut prevented is begun now.
fn after(strikes: u8, policy: &TheftPolicy, way_back: WayBack) -> BootResponse {
    match (policy.on_strikes, way_back) {
        (OnStrikes::Reset, WayBack::Listed) if policy.reached_by(strikes) => {
            BootResponse::Reset(ResetCause::Strikes)
        }
        (OnStrikes::Reset, WayBack::None) if policy.reached_by(strikes) => {
            BootResponse::Withhold(ResetCause::Strikes)
        }
        _ => waiting(strikes, policy),
    }
}

/// What is done while the server stays locked. At the limit of strikes the
/// system does not start without the keys.
fn waiting(strikes: u8, policy: &TheftPolicy) -> BootResponse {
    if policy.on_failure == OnFailure::Continue && !policy.reached_by(strikes) {
        BootResponse::AskThenGoOn
    } else {
        BootResponse::Ask
    }
}

#[cfg(test)]
mod tests;
