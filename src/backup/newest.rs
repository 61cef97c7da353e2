//! What a server remembers of its backups: whom they are encrypted for, how many it has made,
//! and how old the newest good one is. By their number an older backup that is shown to it
//! again is known as that.

use serde::{Deserialize, Serialize};

use super::authenticated::{self, NotAuthentic};
use super::keys::ManifestKey;
use super::manifest_keys::ManifestKeys;

const MARK: &[u8; 8] = b"STAYPUTN";

/// What a server remembers of its backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Generation of the master key that the recipient follows from.
    pub generation: u32,
    /// Whom backups are encrypted for, as age writes it: `age1...`.
    pub recipient: heapless::String<128>,
    /// Number of the newest backup; 0 before the first.
    pub number: u64,
    /// The highest number that was given to one, whole or not: none is given twice.
    pub given: u64,
    /// The newest one that was read back to its end and was what had been written. `None`
    /// before the first, and where none is left.
    pub verified: Option<Verified>,
}

/// A backup that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Its number.
    pub number: u64,
    /// When it was begun, in seconds since 1970 UTC.
    pub made: u64,
}

impl Newest {
    /// Bytes of the longest file.
    pub const MAX: usize = authenticated::HEAD + PAYLOAD_MAX;

    /// Notes what reading back has shown: these were good, and those in the folders of these
    /// names were not. What is on another stick is not among them, and stays as it was known.
    #[cfg(feature = "admin")]
    pub fn note(&mut self, good: &[Verified], bad: &[&str]) {
        let is_bad =
            |known: &Verified| bad.contains(&&*super::folder_name(known.number, known.made));
        let known = self.verified.filter(|known| !is_bad(known));
        let all = good.iter().copied().chain(known);
        self.verified = all.max_by_key(|one| one.number);
    }

    /// As it stands on the disk.
    pub fn close(&self, key: &ManifestKey) -> Vec<u8> {
        let payload = postcard::to_extend(self, Vec::new()).expect("a vector takes all of it");
        authenticated::close(MARK, &payload, key)
    }

    /// What was written with the master key of now, or with an earlier one.
    ///
    /// # Errors
    /// [`NotAuthentic`].
    pub fn open_by_any(bytes: &[u8], keys: &ManifestKeys) -> Result<Self, NotAuthentic> {
        keys.open(|key| Self::open(bytes, key), |newest| newest.generation)
    }

    /// # Errors
    /// [`NotAuthentic`].
    pub fn open(bytes: &[u8], key: &ManifestKey) -> Result<Self, NotAuthentic> {
        let payload = authenticated::open(MARK, bytes, PAYLOAD_MAX, key)?;
        postcard::from_bytes(payload).map_err(|_| NotAuthentic::Malformed)
    }

    /// Reads these bytes as a payload and as a whole file.
    #[cfg(feature = "fuzzing")]
    pub fn read_anyhow(bytes: &[u8]) {
        let key = ManifestKey::from_released(crate::keys::Secret32::new([0; 32]));
        let _ = Self::open(bytes, &key);
        if let Ok(newest) = postcard::from_bytes::<Self>(bytes) {
            let closed = newest.close(&key);
            assert!(closed.len() <= Self::MAX);
            assert_eq!(Self::open(&closed, &key), Ok(newest));
        }
    }
}

const PAYLOAD_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "admin")]
    use crate::backup::folder_name;
    use crate::keys::Secret32;

    const GOOD: Verified = Verified {
        number: 14,
        made: 1_764_274_500,
    };

    #[test]
    fn recipient_of_a_thief_is_not_taken_for_the_owners() {
        let key = |byte| ManifestKey::from_released(Secret32::new([byte; 32]));
        let newest = Newest {
            generation: 1,
            recipient: "age1owner".try_into().unwrap(),
            number: 14,
            given: 15,
            verified: Some(GOOD),
        };
        let bytes = newest.close(&key(1));
        assert!(bytes.len() <= Newest::MAX);
        assert_eq!(Newest::open(&bytes, &key(1)), Ok(newest));
        let thief = bytes.iter().map(|byte| byte.wrapping_add(1));
        let thief: Vec<u8> = thief.collect();
        assert!(Newest::open(&thief, &key(1)).is_err());
        assert_eq!(Newest::open(&bytes, &key(2)), Err(NotAuthentic::Forged));
    }

    #[cfg(feature = "admin")]
    #[test]
    fn backup_seen_to_be_bad_is_the_newest_good_one_no_more() {
        let older = Verified {
            number: 12,
            made: 1_764_000_000,
        };
        let after = |good: &[Verified], bad: &[&str]| {
            let mut newest = Newest {
                generation: 1,
                recipient: "age1owner".try_into().unwrap(),
                number: 14,
                given: 14,
                verified: Some(GOOD),
            };
            newest.note(good, bad);
            newest.verified
        };
        let its_own = folder_name(GOOD.number, GOOD.made);
        // Another stick was read, with older ones, and with one that has its number.
        let of_another = folder_name(GOOD.number, GOOD.made + 1);
        assert_eq!(after(&[older], &[&of_another]), Some(GOOD));
        assert_eq!(after(&[older], &[&its_own]), Some(older));
        assert_eq!(after(&[], &[&its_own]), None);
    }
}
