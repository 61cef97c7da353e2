//! Recognises a place: tries its permitted combinations one after the other, first as
//! they were enrolled, then with the same parts and neighbours in other positions.

use heapless::Vec;
use zeroize::Zeroizing;

use super::candidates::{Candidates, Member};
use super::tries::{Progress, Search, Target, TriedSets, Tries, Try};
use crate::environment::factors::Observed;
use crate::keys::MasterKey;
use crate::vault::{
    EnvironmentSlot, Group, Header, MAX_FACTORS, MAX_ROWS, MAX_WITNESSES, Value, has_member,
    is_key_server,
};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangements {
    /// The combinations as they were enrolled.
    Enrolled,
    /// All that may be this place: witnesses too, and other arrangements of the same
    /// parts and neighbours.
    All,
}

/// What the witnesses of a place have said since the matcher was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaceProof {
    /// Whether as many neighbours as are needed have their enrolled values.
    pub neighbours: bool,
    /// The key servers that have given their enrolled value; bit i stands for factor i.
    servers: u32,
}

impl PlaceProof {
    /// What witnesses have said in a test: `servers` as above.
    #[cfg(test)]
    pub const fn of(neighbours: bool, servers: u32) -> Self {
        Self {
            neighbours,
            servers,
        }
    }

    /// Whether the key server that is factor `at` has given its enrolled value.
    pub fn has_server(&self, at: usize) -> bool {
        has_member(self.servers, at)
    }

    /// How many key servers have given their enrolled value.
    pub fn servers(&self) -> u8 {
        // No more than a slot has factors.
        self.servers.count_ones() as u8
    }
}

/// Tries the combinations of one place as the answers come in, and remembers
/// which were tried. The slot must be the same at every call.
pub struct Matcher {
    rows: Vec<Tries, MAX_ROWS>,
    witnesses: Vec<Tries, MAX_WITNESSES>,
    proof: PlaceProof,
    /// The neighbours whose witness has agreed, and their values in this order.
    neighbours: (u32, Zeroizing<Vec<Value, MAX_FACTORS>>),
    other_neighbours: Search,
    other_parts: Search,
    tried: TriedSets,
}

impl Matcher {
    /// A matcher that has tried nothing yet.
    pub fn new(slot: &EnvironmentSlot) -> Self {
        Self {
            rows: slot.rows.iter().map(|_| Tries::default()).collect(),
            witnesses: slot.witnesses.iter().map(|_| Tries::default()).collect(),
            proof: PlaceProof::default(),
            neighbours: (0, Zeroizing::new(Vec::new())),
            other_neighbours: Search::default(),
            other_parts: Search::default(),
            tried: TriedSets::default(),
        }
    }

    /// What the witnesses have said so far.
    pub fn proof(&self) -> PlaceProof {
        self.proof
    }

    /// Whether [`Matcher::try_next`] has something to try.
    pub fn has_next(
        &self,
        slot: &EnvironmentSlot,
        observed: &Observed,
        arrangements: Arrangements,
    ) -> bool {
        self.next(slot, &Candidates::of(slot, observed), arrangements)
            .is_some()
    }

    /// Tries one combination or asks one witness. Costs one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is in it. `None` when it did not open, or
    /// when there is none to try.
    pub fn try_next(
        &mut self,
        header: &Header,
        slot: &EnvironmentSlot,
        observed: &Observed,
        arrangements: Arrangements,
    ) -> Option<MasterKey> {
        let candidates = Candidates::of(slot, observed);
        let Try {
            target,
            members,
            then,
        } = self.next(slot, &candidates, arrangements)?;
        let is_in_search = !matches!(then, Progress::Enrolled(_));
        // A key server that lies has always a new value, and trying it costs nothing.
        if is_in_search || !members.iter().any(|(label, _)| is_key_server(label)) {
            self.tried.note(target, &members);
        }
        match (then, target) {
            (Progress::Enrolled(tries), Target::Row(at)) => self.rows[at] = tries,
            (Progress::Enrolled(tries), Target::Witness(at)) => self.witnesses[at] = tries,
            (Progress::OtherNeighbours(search), _) => self.other_neighbours = search,
            (Progress::OtherParts(search), _) => self.other_parts = search,
        }
        match target {
            Target::Row(at) => {
                let key = slot.rows[at].unwrap(header, slot.id, &members).ok()?;
                header.accepts(&key).then_some(key)
            }
            Target::Witness(at) => {
                let witness = &slot.witnesses[at];
                if witness.agrees(header, slot.id, &members) {
                    self.agreed(slot, witness.members, &members);
                }
                None
            }
        }
    }

    fn agreed(&mut self, slot: &EnvironmentSlot, members: u32, values: &[Member<'_>]) {
        if is_of_servers(slot, members) {
            self.proof.servers |= members;
            return;
        }
        self.proof.neighbours = true;
        let factors = slot.factors.iter().enumerate();
        let factors = factors.filter(|(at, _)| has_member(members, *at));
        let in_order = factors.filter_map(|(_, factor)| {
            let mut values = values.iter();
            let found = values.find(|(label, _)| **label == factor.label);
            found.map(|(_, value)| (*value).clone())
        });
        self.neighbours = (members, Zeroizing::new(in_order.collect()));
    }

    fn next<'a>(
        &self,
        slot: &'a EnvironmentSlot,
        candidates: &Candidates<'a>,
        arrangements: Arrangements,
    ) -> Option<Try<'a>> {
        self.next_row(slot, candidates).or_else(|| {
            if arrangements == Arrangements::Enrolled {
                return None;
            }
            self.next_witness(slot, candidates)
                .or_else(|| self.next_neighbours(slot, candidates))
                .or_else(|| self.next_parts(slot, candidates))
        })
    }

    fn next_row<'a>(&self, slot: &EnvironmentSlot, candidates: &Candidates<'a>) -> Option<Try<'a>> {
        let mut rows = slot.rows.iter().zip(&self.rows).enumerate();
        rows.find_map(|(at, (row, tries))| tries.next(Target::Row(at), row.members, candidates))
    }

    /// A witness in the enrolled arrangement.
    fn next_witness<'a>(
        &self,
        slot: &EnvironmentSlot,
        candidates: &Candidates<'a>,
    ) -> Option<Try<'a>> {
        let mut witnesses = slot.witnesses.iter().zip(&self.witnesses).enumerate();
        witnesses.find_map(|(at, (witness, tries))| {
            let is_wanted = match is_of_servers(slot, witness.members) {
                true => self.proof.servers & witness.members == 0,
                false => !self.proof.neighbours,
            };
            let next = || tries.next(Target::Witness(at), witness.members, candidates);
            is_wanted.then(next).flatten()
        })
    }

    /// A witness of neighbours in another arrangement.
    fn next_neighbours<'a>(
        &self,
        slot: &EnvironmentSlot,
        candidates: &Candidates<'a>,
    ) -> Option<Try<'a>> {
        let mut search = self.other_neighbours.from(candidates.newest());
        while !self.proof.neighbours
            && search.goes_on()
            && let Some(witness) = slot.witnesses.get(search.target)
        {
            let target = Target::Witness(search.target);
            let is_wanted = !is_of_servers(slot, witness.members);
            let members = || candidates.rearranged(witness.members, search.way);
            let members = is_wanted.then(members).flatten();
            if let Some(members) = search.pass(target, members, &self.tried) {
                return Some(Try {
                    target,
                    members,
                    then: Progress::OtherNeighbours(search),
                });
            }
        }
        None
    }

    /// A row in which parts of the machine are arranged anew. Its neighbours are those
    /// whose witness has agreed, and its key servers have given their enrolled values:
    /// no other row can open.
    fn next_parts<'a>(
        &self,
        slot: &EnvironmentSlot,
        candidates: &Candidates<'a>,
    ) -> Option<Try<'a>> {
        let neighbours = self.right_neighbours(slot, candidates)?;
        let (right, _) = self.neighbours;
        let (around, servers) = (
            all_of(slot, Group::Neighbours),
            all_of(slot, Group::Servers),
        );
        let mut search = self.other_parts.from(candidates.newest());
        while search.goes_on()
            && let Some(row) = slot.rows.get(search.target)
        {
            let target = Target::Row(search.target);
            let missing = row.members & servers & !self.proof.servers;
            let is_wanted = row.members & around == right && missing == 0;
            let parts = || candidates.rearranged(row.members & !around, search.way);
            let members = is_wanted.then(parts).flatten();
            let members = members.map(|parts| [&neighbours[..], &parts].concat());
            if let Some(members) = search.pass(target, members, &self.tried) {
                return Some(Try {
                    target,
                    members,
                    then: Progress::OtherParts(search),
                });
            }
        }
        None
    }

    /// The neighbours whose witness has agreed, with their values; nobody where none is
    /// needed, and `None` where no witness has agreed.
    fn right_neighbours<'a>(
        &self,
        slot: &EnvironmentSlot,
        candidates: &Candidates<'a>,
    ) -> Option<std::vec::Vec<Member<'a>>> {
        if slot.need.neighbours > 0 && !self.proof.neighbours {
            return None;
        }
        let (right, values) = &self.neighbours;
        let members = candidates.members(*right).zip(values.iter());
        members
            .map(|(at, value)| candidates.member_with(at, value))
            .collect()
    }
}

fn all_of(slot: &EnvironmentSlot, group: Group) -> u32 {
    let factors = slot.factors.iter().enumerate();
    let factors = factors.filter(|(_, factor)| factor.group == group);
    factors.fold(0, |members, (at, _)| members | 1 << at)
}

/// Whether a witness is of a key server, and not of neighbours.
fn is_of_servers(slot: &EnvironmentSlot, members: u32) -> bool {
    members & !all_of(slot, Group::Servers) == 0
}

#[cfg(test)]
mod tests {
    use super::super::tries::{MOST_ARRANGEMENTS, OTHER_ARRANGEMENTS};
    use super::*;

    #[test]
    fn a_station_that_always_has_a_new_answer_ends_the_search() {
        let (mut search, tried) = (Search::default(), TriedSets::default());
        let mut tries = 0;
        for newest in 1..1000 {
            search = search.from(newest);
            let before = tries;
            while search.goes_on() {
                assert!(
                    search
                        .pass(Target::Row(0), Some(std::vec::Vec::new()), &tried)
                        .is_some()
                );
                tries += 1;
            }
            assert!(tries - before <= OTHER_ARRANGEMENTS);
        }
        assert_eq!(tries, MOST_ARRANGEMENTS);
    }
}
