//! What is known of the place, when it is certain, and when the prompt opens.

use core::time::Duration;

use super::messages::Reason;
use crate::environment::{Observed, answered, enough_answered};
use crate::theft::{Finding, TheftPolicy, TheftState};
use crate::vault::{EnvironmentSlot, SlotTable, VaultError};

/// From here on a person may wonder: one line says what is going on.
pub const HINT_AFTER: Duration = Duration::from_millis(800);
/// Network cards and switches need up to four seconds to agree; a server at
/// home is through by then, and no prompt flashes by.
pub const PROMPT_AFTER: Duration = Duration::from_secs(5);

/// How far the stage has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub since_start: Duration,
    /// The policy's: for so long a place must be silent or foreign. After a
    /// power cut a router starts more slowly than the server.
    pub wait: Duration,
    /// For how long as many neighbours and parts of the machine as are needed
    /// have answered; `None` while they have not.
    pub enough_for: Option<Duration>,
    /// Enough neighbours answer, and too few parts of the machine are there.
    pub machine_missing: bool,
    /// The vault was read, and no place can open it.
    pub hopeless: bool,
    /// Answers have come in that were not tried yet.
    pub to_try: bool,
    /// Everybody who is enrolled has answered.
    pub all_answered: bool,
}

/// What the consoles show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    Nothing,
    Hint,
    Prompt,
}

impl Progress {
    /// There is nothing to wait for but the disk.
    pub fn without_vault(since_start: Duration) -> Self {
        Self {
            since_start,
            wait: TheftPolicy::default().wait(),
            enough_for: None,
            machine_missing: false,
            hopeless: false,
            to_try: false,
            all_answered: false,
        }
    }

    /// Nothing is left to try and nobody left to hear from: a person may be
    /// asked at once. It is no finding yet.
    fn is_stuck(&self) -> bool {
        self.hopeless || (self.all_answered && !self.to_try)
    }

    pub fn show(&self) -> Show {
        if self.is_stuck() || self.since_start >= PROMPT_AFTER {
            Show::Prompt
        } else if self.since_start >= HINT_AFTER {
            Show::Hint
        } else {
            Show::Nothing
        }
    }

    /// What is certain about the place; a server that opens is not asked.
    pub fn finding(&self) -> Option<Finding> {
        if self.hopeless {
            return Some(Finding::Damaged);
        }
        if self.to_try {
            return None;
        }
        match self.enough_for {
            Some(since) => (since >= self.wait).then_some(Finding::Foreign),
            None if self.since_start < self.wait => None,
            None if self.machine_missing => Some(Finding::ChangedMachine),
            None => Some(Finding::Absent),
        }
    }

    /// When [`Progress::show`] or [`Progress::finding`] may change with
    /// nothing but time, counted from the start.
    pub fn next_change(&self) -> Option<Duration> {
        let foreign = self
            .enough_for
            .map(|since| (self.since_start + self.wait).saturating_sub(since));
        [HINT_AFTER, PROMPT_AFTER, self.wait]
            .into_iter()
            .chain(foreign)
            .filter(|at| self.since_start < *at)
            .min()
    }
}

/// A server whose vault was found.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    pub slots: Result<&'a SlotTable, VaultError>,
    pub state: TheftState,
    pub observed: &'a Observed,
}

impl<'a> Situation<'a> {
    fn places(&self) -> impl Iterator<Item = &'a EnvironmentSlot> {
        let slots = self.slots.into_iter();
        slots.flat_map(|slots| slots.environments.iter().map(|slot| &**slot))
    }

    /// Why the server is not open; `finding` is what is certain by now.
    pub fn reason(&self, finding: Option<Finding>) -> Reason {
        let slots = match self.slots {
            Ok(slots) => slots,
            Err(VaultError::WasReset) => {
                return match self.state {
                    TheftState::Reset { cause, .. } => Reason::WasReset(cause),
                    _ => Reason::Fault(VaultError::WasReset),
                };
            }
            Err(error) => return Reason::Fault(error),
        };
        let enough = |slot| enough_answered(slot, self.observed);
        match slots.environments.first() {
            Some(home) if !slots.environments.iter().any(|slot| enough(slot)) => Reason::Silent {
                answered: answered(home, self.observed),
                need: home.need,
            },
            None => Reason::NotRecognised,
            _ if finding == Some(Finding::Foreign) => Reason::NotRecognised,
            _ => Reason::NotYetRecognised,
        }
    }

    /// Whether enough has answered to say that this is none of the places.
    pub fn could_be_foreign(&self) -> bool {
        let could = |slot: &EnvironmentSlot| {
            slot.need.binds_to_a_place() && enough_answered(slot, self.observed)
        };
        self.places().any(could)
    }

    /// The place answers, and too few parts of the machine are there.
    fn machine_missing(&self) -> bool {
        let missing = |slot: &EnvironmentSlot| {
            let answers = answered(slot, self.observed);
            // Where nothing of the place is needed, nothing tells a foreign one.
            answers.place >= slot.need.place
                && answers.servers >= slot.need.servers
                && (answers.machine < slot.need.machine || !slot.need.binds_to_a_place())
        };
        self.places().any(missing)
    }

    fn all_answered(&self) -> bool {
        let all = |slot: &EnvironmentSlot| answered(slot, self.observed).are_all();
        self.places().next().is_some() && self.places().all(all)
    }

    /// How far a stage has come that started so long ago. `enough_for`: see
    /// [`Progress::enough_for`]; `to_try`: a combination was not tried yet.
    pub fn progress(
        &self,
        since_start: Duration,
        wait: Duration,
        enough_for: Option<Duration>,
        to_try: bool,
    ) -> Progress {
        Progress {
            since_start,
            wait,
            enough_for: enough_for.filter(|_| self.could_be_foreign()),
            machine_missing: self.machine_missing(),
            hopeless: self.places().next().is_none(),
            to_try,
            all_answered: self.all_answered(),
        }
    }
}

#[cfg(test)]
#[path = "assessment_tests.rs"]
mod tests;
