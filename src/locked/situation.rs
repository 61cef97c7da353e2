//! What the vault says and who has answered, and what follows from both.

use core::time::Duration;

use super::judging::Progress;
use super::words::Reason;
use crate::environment::{Observed, answered, enough_answered};
use crate::theft::{Finding, TheftState};
use crate::vault::{EnvironmentSlot, SlotTable, VaultError};

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
        let all = |slot: &EnvironmentSlot| {
            let answers = answered(slot, self.observed);
            answers.machine == answers.machine_of
                && answers.place == answers.place_of
                && answers.servers == answers.servers_of
        };
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
