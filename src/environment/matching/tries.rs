//! What was tried of a place, and how far: first each combination as it was enrolled, then
//! other arrangements of the same parts and neighbours, within a budget.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::candidates::{Candidates, Member};
use crate::vault::kind_of;

/// Ways to take one value of each member that are tried at a time, at most: where
/// several stations answer at each of several addresses, there are more than a boot
/// has time for.
const MAX_WAYS: usize = 64;
/// Other arrangements of the neighbours, and then of the parts of the machine, that are
/// tried after each new answer, at most: 15 s where one takes 60 ms, which is better
/// than a walk for the stick.
pub const OTHER_ARRANGEMENTS: u16 = 256;
/// Other arrangements that are tried in all, at most: a hostile station may always have
/// a new answer.
pub const MOST_ARRANGEMENTS: u16 = 1024;

/// What was tried of one combination in the enrolled arrangement.
#[derive(Clone, Copy, Default)]
pub struct Tries {
    /// All ways with what was heard up to this revision were tried; 0 before.
    done: u32,
    /// How far the ways with what was heard up to `heard` were gone through.
    at: usize,
    heard: u32,
}

/// How far other arrangements were gone through.
#[derive(Clone, Copy, Default)]
pub struct Search {
    /// The newest revision when it began; with newer answers it begins anew.
    heard: u32,
    /// The row or witness, and the way to give it values.
    pub target: usize,
    pub way: u64,
    /// How many have been tried since then.
    tried: u16,
    /// How many have been tried in all.
    in_all: u16,
}

/// A row or a witness, by its number in the slot.
#[derive(Clone, Copy, Hash)]
pub enum Target {
    Row(usize),
    Witness(usize),
}

/// The state of a matcher after a try.
pub enum Progress {
    Enrolled(Tries),
    OtherNeighbours(Search),
    OtherParts(Search),
}

/// A row or a witness, with values to try it with.
pub struct Try<'a> {
    pub target: Target,
    pub members: std::vec::Vec<Member<'a>>,
    pub then: Progress,
}

impl Tries {
    /// The next way that was not tried yet.
    pub fn next<'a>(
        mut self,
        target: Target,
        members: u32,
        candidates: &Candidates<'a>,
    ) -> Option<Try<'a>> {
        // The ways with what was heard until then are gone through first, so that none
        // is left out when an answer comes in meanwhile.
        let newest = candidates.newest_of(members)?;
        loop {
            if self.at == 0 {
                self.heard = newest;
            }
            if self.heard <= self.done {
                return None;
            }
            while self.at < MAX_WAYS
                && let Some((values, newest)) = candidates.as_enrolled(members, self.heard, self.at)
            {
                self.at += 1;
                if newest > self.done {
                    return Some(Try {
                        target,
                        members: values,
                        then: Progress::Enrolled(self),
                    });
                }
            }
            (self.done, self.at) = (self.heard, 0);
        }
    }
}

impl Search {
    /// The search, begun anew where there are newer answers.
    pub fn from(self, newest: u32) -> Self {
        match self.heard == newest {
            true => self,
            false => Self {
                heard: newest,
                in_all: self.in_all,
                ..Self::default()
            },
        }
    }

    pub fn goes_on(&self) -> bool {
        self.tried < OTHER_ARRANGEMENTS && self.in_all < MOST_ARRANGEMENTS
    }

    /// Goes on by one way, or to the next target where this one has no more; returns
    /// what is tried, if it was not before.
    pub fn pass<'a>(
        &mut self,
        target: Target,
        members: Option<std::vec::Vec<Member<'a>>>,
        tried: &TriedSets,
    ) -> Option<std::vec::Vec<Member<'a>>> {
        let Some(members) = members else {
            (self.target, self.way) = (self.target + 1, 0);
            return None;
        };
        self.way += 1;
        if tried.have(target, &members) {
            return None;
        }
        self.tried += 1;
        self.in_all += 1;
        Some(members)
    }
}

/// What was tried: hashes under a random key, so that no value is kept.
#[derive(Default)]
pub struct TriedSets {
    hashes: HashSet<u64>,
    key: RandomState,
}

impl TriedSets {
    pub fn hash(&self, target: Target, members: &[Member<'_>]) -> u64 {
        let members = members.iter();
        let mut set: std::vec::Vec<(&str, &[u8])> = members
            .map(|(label, value)| (kind_of(label), value.as_slice()))
            .collect();
        set.sort_unstable();
        self.key.hash_one((target, set))
    }

    pub fn note(&mut self, target: Target, members: &[Member<'_>]) {
        let hash = self.hash(target, members);
        self.hashes.insert(hash);
    }

    pub fn have(&self, target: Target, members: &[Member<'_>]) -> bool {
        self.hashes.contains(&self.hash(target, members))
    }
}
