//! The enrolled places, and which of their combinations were tried.

use crate::environment::{Matcher, Observed};
use crate::keys::MasterKey;
use crate::vault::{Header, SlotTable};

/// A matcher for each place of one slot table, which is the same at every
/// call.
#[derive(Default)]
pub struct Places {
    matchers: Vec<Matcher>,
}

/// A permitted combination fits.
pub struct PlaceOpened {
    pub key: MasterKey,
    /// Which of the table's places.
    pub at: usize,
}

impl Places {
    /// Nothing was tried yet.
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

    /// Whether a combination has answered that was not tried.
    pub fn has_next(&self, slots: &SlotTable, observed: &Observed) -> bool {
        self.next(slots, observed).is_some()
    }

    /// Tries one combination, at the cost of one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is in it.
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

    /// Tries one combination after the other until one fits or none is left.
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
