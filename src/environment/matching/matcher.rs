//! Recognises a place: tries its permitted combinations one after the other.

use heapless::Vec;

use crate::environment::factors::Observed;
use crate::keys::MasterKey;
use crate::vault::{EnvironmentSlot, Header, Label, MAX_FACTORS, MAX_ROWS, Row, Value, has_member};

/// Arrangements of one combination that are tried at a time, at most: where several
/// stations answer at each of several addresses, there are more than a boot has time
/// for.
const MAX_ARRANGEMENTS: usize = 64;

/// Tries the combinations of one place as the answers come in, and remembers
/// which were tried. The slot must be the same at every call.
pub struct Matcher {
    rows: Vec<RowTries, MAX_ROWS>,
}

/// What was tried of one combination. Where several values were heard of a member,
/// each arrangement of them is tried: one value of each member.
#[derive(Clone, Copy, Default)]
struct RowTries {
    /// All arrangements of what was heard up to this revision were tried; 0 before.
    done: u32,
    /// How far the arrangements of what was heard up to `heard` were gone through.
    at: usize,
    heard: u32,
}

/// One value for each member of a combination.
struct Arrangement<'a> {
    members: Vec<(&'a Label, &'a Value), MAX_FACTORS>,
    /// The newest revision among the values.
    newest: u32,
}

impl Matcher {
    /// A matcher that has tried nothing yet.
    pub fn new(slot: &EnvironmentSlot) -> Self {
        Self {
            rows: slot.rows.iter().map(|_| RowTries::default()).collect(),
        }
    }

    /// The index of the next row with an arrangement that was not tried yet, the
    /// arrangement, and what is tried of that row with it.
    fn next_row<'a>(
        &self,
        slot: &'a EnvironmentSlot,
        observed: &'a Observed,
    ) -> Option<(usize, Arrangement<'a>, RowTries)> {
        let mut rows = slot.rows.iter().zip(&self.rows).enumerate();
        rows.find_map(|(at, (row, tries))| {
            let (arrangement, tries) = tries.next(slot, row, observed)?;
            Some((at, arrangement, tries))
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
        let (at, arrangement, tries) = self.next_row(slot, observed)?;
        self.rows[at] = tries;
        let key = slot.rows[at].unwrap(header, slot.id, &arrangement.members);
        let key = key.ok()?;
        header.accepts(&key).then_some(key)
    }
}

impl RowTries {
    /// The next arrangement that was not tried yet, and what is tried with it.
    fn next<'a>(
        mut self,
        slot: &'a EnvironmentSlot,
        row: &Row,
        observed: &'a Observed,
    ) -> Option<(Arrangement<'a>, Self)> {
        // The arrangements of what was heard until then are gone through first, so
        // that none is left out when an answer comes in meanwhile.
        let newest = newest(slot, row, observed)?;
        loop {
            if self.at == 0 {
                self.heard = newest;
            }
            if self.heard <= self.done {
                return None;
            }
            while self.at < MAX_ARRANGEMENTS
                && let Some(arrangement) = arrangement(slot, row, observed, self.heard, self.at)
            {
                self.at += 1;
                if arrangement.newest > self.done {
                    return Some((arrangement, self));
                }
            }
            (self.done, self.at) = (self.heard, 0);
        }
    }
}

fn members<'a>(slot: &'a EnvironmentSlot, row: &Row) -> impl Iterator<Item = &'a Label> {
    let row = row.members;
    let factors = slot.factors.iter().enumerate();
    let factors = factors.filter(move |(at, _)| has_member(row, *at));
    factors.map(|(_, factor)| &factor.label)
}

/// The newest revision among the members' values; `None` while one has none.
fn newest(slot: &EnvironmentSlot, row: &Row, observed: &Observed) -> Option<u32> {
    members(slot, row).try_fold(0, |newest: u32, label| {
        let (_, revision) = observed.values_and_revisions(label).next_back()?;
        Some(newest.max(revision))
    })
}

/// The arrangement with this number among those of what was heard up to the revision
/// `heard`; `None` where there are not so many. The newest values come first.
fn arrangement<'a>(
    slot: &'a EnvironmentSlot,
    row: &Row,
    observed: &'a Observed,
    heard: u32,
    mut number: usize,
) -> Option<Arrangement<'a>> {
    let mut arrangement = Arrangement {
        members: Vec::new(),
        newest: 0,
    };
    for label in members(slot, row) {
        let values = observed.values_and_revisions(label);
        let values = values.rev().filter(|(_, revision)| *revision <= heard);
        let choices = values.clone().count();
        let (value, revision) = values.clone().nth(number.checked_rem(choices)?)?;
        number /= choices;
        arrangement.newest = arrangement.newest.max(revision);
        // A row has no more members than a slot has factors.
        let _ = arrangement.members.push((label, value));
    }
    (number == 0).then_some(arrangement)
}
