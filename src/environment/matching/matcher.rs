//! Recognises a place: tries its permitted combinations one after the other.

use heapless::Vec;

use crate::environment::factors::Observed;
use crate::keys::MasterKey;
use crate::vault::{EnvironmentSlot, Header, Label, MAX_FACTORS, MAX_ROWS, Row, Value, has_member};

/// Tries the combinations of one place as the answers come in, and remembers
/// which were tried. The slot must be the same at every call.
pub struct Matcher {
    /// For each row, the newest revision among its members when it was last
    /// tried; 0 before.
    tried: Vec<u32, MAX_ROWS>,
}

impl Matcher {
    /// A matcher that has tried nothing yet.
    pub fn new(slot: &EnvironmentSlot) -> Self {
        Self {
            tried: slot.rows.iter().map(|_| 0).collect(),
        }
    }

    /// The index of the next row whose members have all answered and that was
    /// not tried with these answers, and the newest revision among them.
    fn next_row(&self, slot: &EnvironmentSlot, observed: &Observed) -> Option<(usize, u32)> {
        let revisions: Vec<Option<u32>, MAX_FACTORS> = slot
            .factors
            .iter()
            .map(|factor| observed.revision(&factor.label))
            .collect();
        let newest = |row: &Row| {
            revisions
                .iter()
                .enumerate()
                .filter(|(factor, _)| has_member(row.members, *factor))
                .try_fold(0, |newest, (_, revision)| {
                    revision.map(|revision| newest.max(revision))
                })
        };
        slot.rows.iter().enumerate().find_map(|(at, row)| {
            let newest = newest(row)?;
            (newest > *self.tried.get(at)?).then_some((at, newest))
        })
    }

    /// Whether [`Matcher::try_next`] has a combination to try.
    pub fn has_next(&self, slot: &EnvironmentSlot, observed: &Observed) -> bool {
        self.next_row(slot, observed).is_some()
    }

    /// Tries one combination. Costs one scrypt (32 MiB, tens of milliseconds)
    /// where no key server is in it. `None` when it did not open, or when there
    /// is none to try.
    pub fn try_next(
        &mut self,
        header: &Header,
        slot: &EnvironmentSlot,
        observed: &Observed,
    ) -> Option<MasterKey> {
        let (at, revision) = self.next_row(slot, observed)?;
        self.tried[at] = revision;
        let row = &slot.rows[at];
        let members = members(slot, row.members, observed);
        let key = row.unwrap(header, slot.id, &members).ok()?;
        header.accepts(&key).then_some(key)
    }
}

/// The labels and values of a combination.
fn members<'a>(
    slot: &'a EnvironmentSlot,
    members: u32,
    observed: &'a Observed,
) -> Vec<(&'a Label, &'a Value), MAX_FACTORS> {
    slot.factors
        .iter()
        .enumerate()
        .filter(|(factor, _)| has_member(members, *factor))
        .filter_map(|(_, factor)| Some((&factor.label, observed.value(&factor.label)?)))
        .collect()
}
