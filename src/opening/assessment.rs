//! Assesses the place from what was observed, and decides when the prompt
//! opens.

use core::time::Duration;

use super::messages::Reason;
use crate::environment::{Observed, answered, enough_answered};
use crate::theft::{Assessment, TheftPolicy, TheftState};
use crate::vault::{EnvironmentSlot, SlotTable, VaultError};

/// When one line says what is going on: from then on a person may wonder.
pub const HINT_AFTER: Duration = Duration::from_millis(800);
/// When the prompt opens. Network cards and switches take up to four seconds; a
/// server at home has opened by then, and no prompt flashes by.
pub const PROMPT_AFTER: Duration = Duration::from_secs(5);

/// How far the stage has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Time since the stage's start.
    pub since_start: Duration,
    /// How long a place must be silent or foreign before that is certain
    /// (policy). After a power cut a router starts more slowly than the server.
    pub wait: Duration,
    /// For how long enough neighbours and parts of the machine have answered;
    /// `None` while they have not.
    pub enough_for: Option<Duration>,
    /// Whether enough neighbours answer but too few parts of the machine are
    /// there.
    pub machine_missing: bool,
    /// Whether the vault was read and no place can open it.
    pub hopeless: bool,
    /// Whether a combination has answered that was not tried yet.
    pub to_try: bool,
    /// Whether all enrolled factors have answered.
    pub all_answered: bool,
}

/// What the consoles show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PromptStage {
    /// Nothing yet.
    Nothing,
    /// One line that says what is going on.
    Hint,
    /// The prompt.
    Prompt,
}

impl Progress {
    /// The progress while the vault was not found: nothing is known.
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

    /// Whether nothing is left to try and nobody left to wait for: then a
    /// person is asked at once, although the assessment is not certain yet.
    fn is_stuck(&self) -> bool {
        self.hopeless || (self.all_answered && !self.to_try)
    }

    /// What the consoles should show now.
    pub fn stage(&self) -> PromptStage {
        if self.is_stuck() || self.since_start >= PROMPT_AFTER {
            PromptStage::Prompt
        } else if self.since_start >= HINT_AFTER {
            PromptStage::Hint
        } else {
            PromptStage::Nothing
        }
    }

    /// The assessment of the place, once it is certain; `None` before.
    pub fn assessment(&self) -> Option<Assessment> {
        if self.hopeless {
            return Some(Assessment::Damaged);
        }
        if self.to_try {
            return None;
        }
        match self.enough_for {
            Some(since) => (since >= self.wait).then_some(Assessment::Foreign),
            None if self.since_start < self.wait => None,
            None if self.machine_missing => Some(Assessment::ChangedMachine),
            None => Some(Assessment::Absent),
        }
    }

    /// When [`Progress::stage`] or [`Progress::assessment`] may change by time
    /// alone, counted from the stage's start.
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

/// What is known of a server whose vault was found.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// The slots, or why they cannot be read.
    pub slots: Result<&'a SlotTable, VaultError>,
    /// The theft state.
    pub state: TheftState,
    /// The values observed so far.
    pub observed: &'a Observed,
}

impl<'a> Situation<'a> {
    fn places(&self) -> impl Iterator<Item = &'a EnvironmentSlot> {
        let slots = self.slots.into_iter();
        slots.flat_map(|slots| slots.environments.iter().map(|slot| &**slot))
    }

    /// Why the server is not open. `assessment` is the one that is certain by
    /// now.
    pub fn reason(&self, assessment: Option<Assessment>) -> Reason {
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
            _ if assessment == Some(Assessment::Foreign) => Reason::NotRecognised,
            _ => Reason::NotYetRecognised,
        }
    }

    /// Whether enough factors have answered to call this place foreign.
    pub fn could_be_foreign(&self) -> bool {
        let could = |slot: &EnvironmentSlot| {
            slot.need.binds_to_a_place() && enough_answered(slot, self.observed)
        };
        self.places().any(could)
    }

    /// Whether a place answers but too few parts of the machine are there.
    fn machine_missing(&self) -> bool {
        let missing = |slot: &EnvironmentSlot| {
            let answers = answered(slot, self.observed);
            // A place that needs neither neighbours nor key servers is never
            // foreign.
            answers.neighbours.count >= slot.need.neighbours
                && answers.servers.count >= slot.need.servers
                && (answers.machine.count < slot.need.machine || !slot.need.binds_to_a_place())
        };
        self.places().any(missing)
    }

    fn all_answered(&self) -> bool {
        let all = |slot: &EnvironmentSlot| answered(slot, self.observed).are_all();
        self.places().next().is_some() && self.places().all(all)
    }

    /// The progress of a stage; the arguments are the fields of [`Progress`]
    /// that the situation does not know.
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
