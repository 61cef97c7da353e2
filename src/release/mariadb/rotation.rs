//! Which key MariaDB's tables are moved to after a new master key, from what the policy
//! gives MariaDB. A key that files may need is never taken away.

use super::{KeyId, MariadbRelease};
use crate::vault::DEFAULT_KEY_IDS;

/// Ids of one generation: 201 to 299 follow from the second master key. No id ever belongs
/// to two master keys, also when the policy is made anew: a file of long ago that needs key
/// 201 never meets another key of this number.
const IDS: u32 = 100;

/// Whether tables may have been moved to a key of this id.
pub fn is_of_a_generation(id: u32) -> bool {
    id > IDS && !id.is_multiple_of(IDS)
}

/// Where the tables go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every key that MariaDB has follows from the master key of now.
    Nowhere,
    /// The vault gives this one already.
    Known(KeyId),
    /// The vault is to give this one.
    New(KeyId),
    /// A new one is due, and the policy has room for no more.
    NoRoom,
}

impl MariadbRelease {
    /// Where the tables go under the master key of this generation. With `anew` they get
    /// another key in any case.
    pub fn target(&self, generation: u32, anew: bool) -> Target {
        if anew {
            return self.next(generation);
        }
        match self.newest_of(generation) {
            Some(known) => Target::Known(known),
            None if self.key_ids.iter().all(|key| key.generation == generation) => Target::Nowhere,
            None => self.next(generation),
        }
    }

    /// What MariaDB is given, with one key more; `None` where there is no room for it.
    pub fn with(&self, key: KeyId) -> Option<Self> {
        let mut with = self.clone();
        if !with.key_ids.contains(&key) {
            with.key_ids.push(key).ok()?;
        }
        Some(with)
    }

    /// The newest key for tables that follows from this master key.
    fn newest_of(&self, generation: u32) -> Option<KeyId> {
        let of_tables = |key: &&KeyId| !DEFAULT_KEY_IDS.contains(&key.id);
        let mut newest_first = self.key_ids.iter().rev().filter(of_tables);
        newest_first
            .find(|key| key.generation == generation)
            .copied()
    }

    fn next(&self, generation: u32) -> Target {
        let is_free = |id: &u32| self.key_ids.iter().all(|key| key.id != *id);
        let first = generation.checked_mul(IDS);
        let first = first.filter(|first| first.checked_add(IDS).is_some());
        let mut ids = first.into_iter().flat_map(|first| first + 1..first + IDS);
        let id = ids.find(is_free).filter(|_| !self.key_ids.is_full());
        id.map_or(Target::NoRoom, |id| Target::New(KeyId { id, generation }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32, generation: u32) -> KeyId {
        KeyId { id, generation }
    }

    fn release(more: &[KeyId]) -> MariadbRelease {
        let mut release = MariadbRelease::new(104, 111, 1);
        release.key_ids.extend(more.iter().copied());
        release
    }

    #[test]
    fn new_master_key_makes_a_new_key_due_once() {
        assert_eq!(release(&[]).target(1, false), Target::Nowhere);
        assert_eq!(release(&[]).target(2, false), Target::New(key(201, 2)));
        // Interrupted behind that, it goes on with the same one.
        let with = release(&[]).with(key(201, 2)).unwrap();
        assert_eq!(with.target(2, false), Target::Known(key(201, 2)));
        assert_eq!(with.with(key(201, 2)), Some(with.clone()));
        assert_eq!(with.target(3, false), Target::New(key(301, 3)));
        // A database that was encrypted anew under the second has nothing of the first.
        let anew = MariadbRelease::new(104, 111, 2);
        assert_eq!(anew.target(2, false), Target::Nowhere);
    }

    #[test]
    fn keys_that_each_database_has_are_of_no_generation() {
        let made = [1, 2, 17, 100, 101, 199, 200, 201, 3299].map(is_of_a_generation);
        let expected = [false, false, false, false, true, true, false, true, true];
        assert_eq!(made, expected);
    }

    #[test]
    fn owner_gets_another_key_of_the_same_master_key() {
        assert_eq!(release(&[]).target(1, true), Target::New(key(101, 1)));
        let with = release(&[key(101, 1)]);
        assert_eq!(with.target(1, true), Target::New(key(102, 1)));
        let two = release(&[key(101, 1), key(102, 1)]);
        assert_eq!(two.target(1, false), Target::Known(key(102, 1)));
    }

    #[test]
    fn no_id_is_given_twice_and_none_goes() {
        // One that the policy got otherwise.
        let odd = release(&[key(301, 2), key(201, 2)]);
        assert_eq!(odd.target(3, false), Target::New(key(302, 3)));
        let all: Vec<KeyId> = (1..=14).map(|n| key(100 + n, 1)).collect();
        let full = release(&all);
        assert_eq!(full.target(2, false), Target::NoRoom);
        assert_eq!(full.with(key(201, 2)), None);
        assert_eq!(full.target(1, false), Target::Known(key(114, 1)));
        assert_eq!(release(&[]).target(u32::MAX, false), Target::NoRoom);
    }
}
