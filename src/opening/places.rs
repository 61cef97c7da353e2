//! Tries the combinations of all enrolled places.

use crate::environment::{Matcher, Observed};
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

    fn next(&self, slots: &SlotTable, observed: &Observed) -> Option<usize> {
        let mut places = slots.environments.iter().zip(&self.matchers);
        places.position(|(slot, matcher)| matcher.has_next(slot, observed))
    }

    /// Whether a combination has answered that was not tried yet.
    pub fn has_next(&self, slots: &SlotTable, observed: &Observed) -> bool {
        self.next(slots, observed).is_some()
    }

    /// Tries one combination. Costs one scrypt (32 MiB, tens of milliseconds)
    /// where no key server is in it.
    pub fn try_one(
        &mut self,
        header: &Header,
        slots: &SlotTable,
        observed: &Observed,
    ) -> Option<PlaceOpened> {
        let at = self.next(slots, observed)?;
        let slot = slots.environments.get(at)?;
        let key = self.matchers[at].try_next(header, slot, observed)?;
        Some(PlaceOpened { key, at })
    }

    /// Tries combinations until one opens the vault or none is left.
    pub fn try_all(
        &mut self,
        header: &Header,
        slots: &SlotTable,
        observed: &Observed,
    ) -> Option<PlaceOpened> {
        while self.has_next(slots, observed) {
            if let Some(opened) = self.try_one(header, slots, observed) {
                return Some(opened);
            }
        }
        None
    }
}
