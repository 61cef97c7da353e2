//! Tries the combinations of all enrolled places.

use crate::environment::{Arrangements, Matcher, Observed, PlaceProof};
use crate::keys::MasterKey;
use crate::vault::{Header, SlotTable};

/// A matcher for each place of a slot table. The table must be the same at
/// every call.
#[derive(Default)]
pub struct Places {
    matchers: Vec<Matcher>,
}

/// A place has opened the vault.
pub struct PlaceOpened {
    /// The master key.
    pub key: MasterKey,
    /// The index of the place in the table.
    pub at: usize,
}

impl Places {
    /// Matchers that have tried nothing yet.
    pub fn of(slots: &SlotTable) -> Self {
        let slots = slots.environments.iter();
        Self {
            matchers: slots.map(|slot| Matcher::new(slot)).collect(),
        }
    }

    /// The next place with something to try. No place is rearranged while another has
    /// an enrolled combination.
    fn next(
        &self,
        slots: &SlotTable,
        observed: &Observed,
        arrangements: Arrangements,
    ) -> Option<usize> {
        let next = |arrangements| {
            let mut places = slots.environments.iter().zip(&self.matchers);
            places.position(|(slot, matcher)| matcher.has_next(slot, observed, arrangements))
        };
        let others = || (arrangements == Arrangements::All).then(|| next(Arrangements::All));
        next(Arrangements::Enrolled).or_else(|| others().flatten())
    }

    /// Whether there is something that was not tried yet.
    pub fn has_next(
        &self,
        slots: &SlotTable,
        observed: &Observed,
        arrangements: Arrangements,
    ) -> bool {
        self.next(slots, observed, arrangements).is_some()
    }

    /// Tries one combination, or asks one witness. Costs one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is in it.
    pub fn try_one(
        &mut self,
        header: &Header,
        slots: &SlotTable,
        observed: &Observed,
        arrangements: Arrangements,
    ) -> Option<PlaceOpened> {
        let at = self.next(slots, observed, arrangements)?;
        let slot = slots.environments.get(at)?;
        let key = self.matchers[at].try_next(header, slot, observed, arrangements)?;
        Some(PlaceOpened { key, at })
    }

    /// Tries combinations until one opens the vault or none is left.
    pub fn try_all(
        &mut self,
        header: &Header,
        slots: &SlotTable,
        observed: &Observed,
        arrangements: Arrangements,
    ) -> Option<PlaceOpened> {
        while self.has_next(slots, observed, arrangements) {
            if let Some(opened) = self.try_one(header, slots, observed, arrangements) {
                return Some(opened);
            }
        }
        None
    }

    /// What the witnesses of place `at` have said so far.
    pub fn proof(&self, at: usize) -> PlaceProof {
        let matcher = self.matchers.get(at);
        matcher.map_or_else(PlaceProof::default, Matcher::proof)
    }
}
