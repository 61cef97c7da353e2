//! Assesses the place from what was observed, and decides when the prompt
//! opens.

use core::time::Duration;

use super::messages::Reason;
use super::places::Places;
use crate::environment::{Candidates, Observed, PlaceProof, answered};
use crate::theft::{Assessment, TheftPolicy, TheftState};
use crate::vault::{Count, EnvironmentSlot, FactorCounts, Group, SlotTable, VaultError};

/// When one line says what is going on: from then on a person may wonder.
pub const HINT_AFTER: Duration = Duration::from_millis(800);
/// When witnesses are asked and other arrangements tried although some factors are
/// silent: at home the server has opened by then.
pub const REARRANGE_AFTER: Duration = Duration::from_secs(3);
/// When the prompt opens. Network cards and switches take up to four seconds; a
/// server at home has opened by then, and no prompt flashes by.
pub const PROMPT_AFTER: Duration = Duration::from_secs(5);

/// How far the stage has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Time since the stage's start.
    pub since_start: Duration,
    /// For how long an enrolled place has been asked; `None` before its slots were
    /// read. A disk that comes late takes nothing from the wait.
    pub asked_for: Option<Duration>,
    /// How long a place must be silent or foreign before that is certain
    /// (policy). After a power cut a router starts more slowly than the server.
    pub wait: Duration,
    /// For how long what has answered has been no enrolled place; `None` while it
    /// may be one.
    pub strange_for: Option<Duration>,
    /// What has changed at a place that is enrolled, or may be.
    pub repair: Option<Repair>,
    /// Whether the vault was read and no place can open it.
    pub hopeless: bool,
    /// Whether a combination has answered that was not tried yet.
    pub to_try: bool,
    /// Whether all enrolled factors have answered.
    pub all_answered: bool,
}

/// What keeps a server closed that is not in a foreign place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The place is right and the machine is not, or too few of its parts are there.
    Machine,
    /// The neighbours are right and too many key servers are not.
    KeyServer,
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
            asked_for: None,
            wait: TheftPolicy::default().wait(),
            strange_for: None,
            repair: None,
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
        match (self.strange_for, self.repair) {
            (Some(since), _) => (since >= self.wait).then_some(Assessment::Foreign),
            (None, _) if self.asked_for.is_none_or(|asked| asked < self.wait) => None,
            (None, Some(Repair::Machine)) => Some(Assessment::ChangedMachine),
            (None, Some(Repair::KeyServer)) => Some(Assessment::KeyServerLost),
            (None, None) => Some(Assessment::Absent),
        }
    }

    /// When [`Progress::stage`] or [`Progress::assessment`] may change by time
    /// alone, counted from the stage's start.
    pub fn next_change(&self) -> Option<Duration> {
        let waits = [self.asked_for, self.strange_for].into_iter().flatten();
        let ends = waits.map(|since| (self.since_start + self.wait).saturating_sub(since));
        [HINT_AFTER, REARRANGE_AFTER, PROMPT_AFTER]
            .into_iter()
            .chain(ends)
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
    /// What was tried of them.
    pub places: &'a Places,
}

/// One enrolled place: what has answered there, and what its witnesses say.
struct Surroundings<'a> {
    slot: &'a EnvironmentSlot,
    answered: FactorCounts,
    proof: PlaceProof,
    /// Key servers that have answered, and not as enrolled.
    wrong_servers: u8,
}

impl Surroundings<'_> {
    /// Whether this is the place: its neighbours are here, or its key servers where it
    /// needs no neighbours.
    fn is_here(&self) -> bool {
        let need = self.slot.need;
        match need.neighbours {
            0 => need.servers > 0 && self.proof.servers() >= need.servers,
            _ => self.proof.neighbours,
        }
    }

    fn is_enough(&self) -> bool {
        self.answered.reach(self.slot.need)
    }

    /// Whether what has answered is not this place. With a combination that is right in
    /// none of its arrangements, at least one neighbour of it is another one. Silent
    /// ones may still be right: a replaced printer beside a router that starts slowly
    /// is no foreign place. So more must be others than are silent.
    fn is_strange(&self) -> bool {
        let need = self.slot.need;
        let Count { count, of } = self.answered.neighbours;
        let others = (count + 1).saturating_sub(need.neighbours);
        need.binds_to_a_place()
            && self.is_enough()
            && !self.is_here()
            && match need.neighbours {
                0 => self.proof.servers() == 0,
                _ => others > of - count,
            }
    }

    /// Whether nothing at all answers that could be this place's.
    fn is_silent(&self) -> bool {
        match self.slot.need.neighbours {
            0 => self.answered.servers.count == 0,
            _ => self.answered.neighbours.count == 0,
        }
    }

    fn machine_is_short(&self) -> bool {
        self.answered.machine.count < self.slot.need.machine
    }

    fn repair(&self) -> Option<Repair> {
        let need = self.slot.need;
        let servers_are_short = self.proof.servers() < need.servers;
        if self.is_here() {
            return match servers_are_short && !self.machine_is_short() {
                false => Some(Repair::Machine),
                true => (self.wrong_servers > 0).then_some(Repair::KeyServer),
            };
        }
        // Among key servers alone one that is right says that this is the place.
        if need.neighbours == 0 && self.proof.servers() > 0 && self.wrong_servers > 0 {
            return Some(Repair::KeyServer);
        }
        // A place that needs neither neighbours nor key servers is never foreign.
        let place_answers = self.answered.neighbours.count >= need.neighbours
            && self.answered.servers.count >= need.servers;
        let is_machine = self.machine_is_short() || !need.binds_to_a_place();
        (place_answers && is_machine).then_some(Repair::Machine)
    }
}

impl<'a> Situation<'a> {
    fn places(&self) -> impl Iterator<Item = Surroundings<'a>> {
        let Self {
            observed, places, ..
        } = *self;
        let slots = self.slots.into_iter();
        let slots = slots.flat_map(|slots| slots.environments.iter().enumerate());
        slots.map(move |(at, slot)| {
            let proof = places.proof(at);
            let candidates = Candidates::of(slot, observed);
            let factors = slot.factors.iter().enumerate();
            let servers = factors.filter(|(_, factor)| factor.group == Group::Servers);
            let wrong = servers.filter(|(factor, _)| {
                candidates.value(*factor).is_some() && !proof.has_server(*factor)
            });
            Surroundings {
                slot,
                answered: answered(slot, observed),
                proof,
                wrong_servers: wrong.count() as u8,
            }
        })
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
        // Where parts are missing they are counted.
        let is_whole = |place: &Surroundings<'_>| {
            place.slot.need.binds_to_a_place() && !place.machine_is_short()
        };
        let mut places = self.places().filter(is_whole);
        match places.find_map(|place| place.repair()) {
            Some(Repair::Machine) => return Reason::ChangedMachine,
            Some(Repair::KeyServer) => return Reason::KeyServerLost,
            None => {}
        }
        match slots.environments.first() {
            Some(home) if !self.places().any(|place| place.is_enough()) => Reason::Silent {
                answered: answered(home, self.observed),
                need: home.need,
            },
            None => Reason::NotRecognised,
            _ if assessment == Some(Assessment::Foreign) => Reason::NotRecognised,
            _ => Reason::NotYetRecognised,
        }
    }

    /// Whether what has answered is none of the enrolled places. Each must be another
    /// one or altogether silent: in the same private subnet the stations of one place
    /// answer at addresses of the other.
    pub fn could_be_foreign(&self) -> bool {
        let is_none = |place: Surroundings<'_>| place.is_strange() || place.is_silent();
        self.places().any(|place| place.is_strange()) && self.places().all(is_none)
    }

    fn repair(&self) -> Option<Repair> {
        let mut places = self.places();
        places.find_map(|place| place.repair())
    }

    /// Whether every enrolled factor has answered.
    pub fn all_answered(&self) -> bool {
        let mut places = self.places();
        self.places().next().is_some() && places.all(|place| place.answered.are_all())
    }

    /// The progress of a stage; the arguments are the fields of [`Progress`]
    /// that the situation does not know.
    pub fn progress(
        &self,
        since_start: Duration,
        asked_for: Option<Duration>,
        wait: Duration,
        strange_for: Option<Duration>,
        to_try: bool,
    ) -> Progress {
        Progress {
            since_start,
            asked_for,
            wait,
            strange_for: strange_for.filter(|_| self.could_be_foreign()),
            repair: self.repair(),
            hopeless: self.places().next().is_none(),
            to_try,
            all_answered: self.all_answered(),
        }
    }
}

#[cfg(test)]
mod tests;
