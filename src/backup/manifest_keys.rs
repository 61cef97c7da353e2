//! The manifests' keys of all master keys that a server has had. The one of now says what is
//! the owner's. By an earlier one old backups are known; but whoever has what was lost
//! before the master key was replaced can sign with it as well.

use zeroize::Zeroizing;

use super::authenticated::NotAuthentic;
use super::keys::ManifestKey;
use crate::keys::Keyring;

/// Bytes of one key as it is released: generation and key.
const RELEASED: usize = 4 + 32;

/// The keys by the generation of their master keys.
#[derive(Clone, Debug)]
pub struct ManifestKeys {
    generation: u32,
    current: ManifestKey,
    /// From the newest to the oldest.
    earlier: Vec<(u32, ManifestKey)>,
}

impl ManifestKeys {
    /// Those that follow from these master keys.
    pub fn of(keys: &Keyring) -> Self {
        let all = keys.all().skip(1);
        Self {
            generation: keys.generation(),
            current: ManifestKey::of(keys.current()),
            earlier: all
                .map(|(generation, key)| (generation, ManifestKey::of(key)))
                .collect(),
        }
    }

    /// The generation of the one of now.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The one of now, which signs.
    pub fn current(&self) -> &ManifestKey {
        &self.current
    }

    fn all(&self) -> impl Iterator<Item = (u32, &ManifestKey)> {
        let earlier = self.earlier.iter();
        let earlier = earlier.map(|(generation, key)| (*generation, key));
        core::iter::once((self.generation, &self.current)).chain(earlier)
    }

    /// As they are released: each one's generation (u32, little-endian) and key, the one of
    /// now first.
    pub fn to_released(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it at once: one that grows leaves copies behind.
        let length = RELEASED * (1 + self.earlier.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        for (generation, key) in self.all() {
            bytes.extend_from_slice(&generation.to_le_bytes());
            bytes.extend_from_slice(key.expose());
        }
        bytes
    }

    /// What somebody has written, read by the key of the generation that it names:
    /// `open` reads it by one key, `generation` says which it names.
    ///
    /// # Errors
    /// [`NotAuthentic`]; what names another generation than its key's is forged.
    pub(super) fn open<T>(
        &self,
        open: impl Fn(&ManifestKey) -> Result<T, NotAuthentic>,
        generation: impl Fn(&T) -> u32,
    ) -> Result<T, NotAuthentic> {
        for (of, key) in self.all() {
            match open(key) {
                Ok(value) if generation(&value) == of => return Ok(value),
                Ok(_) | Err(NotAuthentic::Forged) => {}
                Err(why) => return Err(why),
            }
        }
        Err(NotAuthentic::Forged)
    }
}

#[cfg(feature = "admin")]
impl ManifestKeys {
    /// Bytes of a released file, at most.
    pub const RELEASED_MAX: usize = RELEASED * (1 + crate::keys::MAX_EARLIER);

    /// Those that were released; `None` where the bytes make no sense.
    pub fn from_released(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.as_chunks::<RELEASED>();
        let (first, earlier) = entries.split_first()?;
        let key = |entry: &[u8; RELEASED]| {
            let mut secret = crate::keys::Secret32::new([0; 32]);
            secret.expose_mut().copy_from_slice(&entry[4..]);
            let generation = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
            (generation, ManifestKey::from_released(secret))
        };
        let (generation, current) = key(first);
        rest.is_empty().then(|| Self {
            generation,
            current,
            earlier: earlier.iter().map(key).collect(),
        })
    }
}

#[cfg(test)]
impl ManifestKeys {
    /// Of a server whose master keys are of these bytes, the oldest first.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        use crate::keys::{MasterKey, Secret32};
        let key = |byte: &u8| MasterKey::from_secret(Secret32::new([*byte; 32]));
        let first = Keyring::of_one(1, key(&bytes[0]));
        let next = |all: Keyring, byte| all.next(key(byte)).expect("these are few");
        Self::of(&bytes[1..].iter().fold(first, next))
    }
}

#[cfg(all(test, feature = "admin"))]
mod tests {
    use super::*;

    #[test]
    fn released_keys_are_read_back_and_nothing_else_is() {
        for bytes in [&[1][..], &[1, 2, 3]] {
            let keys = ManifestKeys::of_bytes(bytes);
            let released = keys.to_released();
            let read = ManifestKeys::from_released(&released).unwrap();
            assert_eq!(read.generation(), bytes.len() as u32);
            assert_eq!(read.current().expose(), keys.current().expose());
            assert_eq!(*read.to_released(), *released);
            let cut = &released[..released.len() - 1];
            assert!(ManifestKeys::from_released(cut).is_none());
        }
        assert!(ManifestKeys::from_released(&[]).is_none());
    }

    #[test]
    fn each_key_speaks_for_its_own_generation_alone() {
        let keys = ManifestKeys::of_bytes(&[1, 2]);
        let opened = |by: u8, says: u32| {
            let signer = ManifestKeys::of_bytes(&[by]);
            let signer = *signer.current().expose();
            let open = |key: &ManifestKey| match *key.expose() == signer {
                true => Ok(says),
                false => Err(NotAuthentic::Forged),
            };
            keys.open(open, |says| *says)
        };
        assert_eq!(opened(2, 2), Ok(2));
        assert_eq!(opened(1, 1), Ok(1));
        // Whoever has the earlier key calls it the one of now.
        assert_eq!(opened(1, 2), Err(NotAuthentic::Forged));
        assert_eq!(opened(3, 2), Err(NotAuthentic::Forged));
    }
}
