//! What a server remembers of its backups: whom they are encrypted for, and how many it has
//! made. By the second an older backup that is shown to it again is known as that.

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
}

impl Newest {
    /// Bytes of the longest file.
    pub const MAX: usize = authenticated::HEAD + PAYLOAD_MAX;

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
}

const PAYLOAD_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Secret32;

    #[test]
    fn recipient_of_a_thief_is_not_taken_for_the_owners() {
        let key = |byte| ManifestKey::from_released(Secret32::new([byte; 32]));
        let newest = Newest {
            generation: 1,
            recipient: "age1owner".try_into().unwrap(),
            number: 14,
            given: 15,
        };
        let bytes = newest.close(&key(1));
        assert!(bytes.len() <= Newest::MAX);
        assert_eq!(Newest::open(&bytes, &key(1)), Ok(newest));
        let thief = bytes.iter().map(|byte| byte.wrapping_add(1));
        let thief: Vec<u8> = thief.collect();
        assert!(Newest::open(&thief, &key(1)).is_err());
        assert_eq!(Newest::open(&bytes, &key(2)), Err(NotAuthentic::Forged));
    }
}
