//! Recognising a place: which permitted combination to try next.

use heapless::Vec;

use super::rows::{ROW_LABEL, has_member, row_associated, row_secret};
use crate::environment::factors::Observed;
use crate::keys::MasterKey;
use crate::vault::{EnvironmentSlot, Header, Label, MAX_FACTORS, MAX_ROWS, Row, Value};

/// Tries the combinations of one place, as the answers come in. It remembers
/// what was tried; the slot is the same at every call.
pub struct Matcher {
    /// For each row the newest revision among its members when it was tried.
    tried: Vec<u32, MAX_ROWS>,
}

impl Matcher {
    /// For a place of which nothing was tried yet.
    pub fn new(slot: &EnvironmentSlot) -> Self {
        Self {
            tried: slot.rows.iter().map(|_| 0).collect(),
        }
    }

    /// The next combination whose members have all answered and that was not
    /// tried with these answers.
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

    /// Whether [`Matcher::try_next`] has something to try.
    pub fn has_next(&self, slot: &EnvironmentSlot, observed: &Observed) -> bool {
        self.next_row(slot, observed).is_some()
    }

    /// Tries one combination, at the cost of one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is in it. `None`: it was not the one,
    /// or there is none to try.
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
        let secret = row_secret(&members, &row.salt).ok()?;
        let associated = row_associated(header, slot.id, row.members);
        let key = row.wrapped.unwrap(&secret, ROW_LABEL, &associated).ok()?;
        header.accepts(&key).then_some(key)
    }
}

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
