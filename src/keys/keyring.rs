//! The master keys of a server: the one of now, and those before it, which old backups
//! and MariaDB's earlier key ids need.

use heapless::Vec as Bounded;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{MasterKey, Sealed, Secret32, UnsealError, open, seal};

/// Earlier master keys that are kept, at most.
pub const MAX_EARLIER: usize = 32;

const LABEL: &str = "stayput earlier master keys v1";

/// The master keys of one server, by generation.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// From the newest, which is the one of now, to the oldest.
    keys: Vec<MasterKey>,
    generation: u32,
}

/// The earlier master keys, sealed under the one of now; of a server that has had one
/// alone nothing is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierKeys(Option<SealedKeys>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedKeys {
    sealed: Sealed,
    bytes: Bounded<u8, { MAX_EARLIER * Secret32::LEN }>,
}

impl Keyring {
    /// Of a server that has had one master key since it was of this `generation`.
    pub fn of_one(generation: u32, key: MasterKey) -> Self {
        Self {
            keys: vec![key],
            generation,
        }
    }

    /// Of a new server, with a key of these bytes.
    #[cfg(test)]
    pub fn of_bytes(byte: u8) -> Self {
        Self::of_one(1, MasterKey::from_secret(Secret32::new([byte; 32])))
    }

    /// The master key of now.
    pub fn current(&self) -> &MasterKey {
        &self.keys[0]
    }

    /// The generation of the one of now.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The master key of this generation.
    pub fn of_generation(&self, generation: u32) -> Option<&MasterKey> {
        let before = self.generation.checked_sub(generation)?;
        self.keys.get(before as usize)
    }

    /// All of them with their generations, from the newest.
    pub fn all(&self) -> impl Iterator<Item = (u32, &MasterKey)> {
        (0..=self.generation).rev().zip(&self.keys)
    }

    /// The same with the next master key; `None` where there is no room for one more.
    pub fn next(&self, key: MasterKey) -> Option<Self> {
        let generation = self.generation.checked_add(1)?;
        if self.keys.len() > MAX_EARLIER {
            return None;
        }
        let mut keys = Vec::with_capacity(1 + self.keys.len());
        keys.push(key);
        keys.extend(self.keys.iter().cloned());
        Some(Self { keys, generation })
    }

    /// The earlier ones, sealed under the one of now.
    pub fn seal_earlier(&self, server: &[u8; 16]) -> EarlierKeys {
        let earlier = &self.keys[1..];
        if earlier.is_empty() {
            return EarlierKeys(None);
        }
        let mut plain: Zeroizing<Bounded<u8, { MAX_EARLIER * Secret32::LEN }>> =
            Zeroizing::new(Bounded::new());
        for key in earlier {
            plain
                .extend_from_slice(key.expose())
                .expect("there is room for the most");
        }
        let sealed = seal(
            &self.current().derive(LABEL),
            LABEL,
            &bound_to(server, self.generation),
            &mut plain,
        );
        let bytes = Bounded::clone(&plain);
        EarlierKeys(Some(SealedKeys { sealed, bytes }))
    }
}

impl EarlierKeys {
    /// All master keys of a server whose one of now is `key`.
    ///
    /// # Errors
    /// [`UnsealError`] when `key` is another one, or bytes were changed.
    pub fn open(
        &self,
        server: &[u8; 16],
        generation: u32,
        key: &MasterKey,
    ) -> Result<Keyring, UnsealError> {
        let Some(of) = &self.0 else {
            return Ok(Keyring::of_one(generation, key.clone()));
        };
        let mut plain = Zeroizing::new(of.bytes.clone());
        open(
            &key.derive(LABEL),
            LABEL,
            &bound_to(server, generation),
            &of.sealed,
            &mut plain,
        )?;
        let (keys, rest) = plain.as_chunks::<{ Secret32::LEN }>();
        if !rest.is_empty() {
            return Err(UnsealError);
        }
        // With room for all: one that has to grow would leave its bytes behind.
        let mut all = Vec::with_capacity(1 + keys.len());
        all.push(key.clone());
        for bytes in keys {
            let mut secret = Secret32::new([0; 32]);
            secret.expose_mut().copy_from_slice(bytes);
            all.push(MasterKey::from_secret(secret));
        }
        Ok(Keyring {
            keys: all,
            generation,
        })
    }
}

fn bound_to(server: &[u8; 16], generation: u32) -> [u8; 20] {
    let mut data = [0; 20];
    data[..16].copy_from_slice(server);
    data[16..].copy_from_slice(&generation.to_le_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: [u8; 16] = [7; 16];

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_secret(Secret32::new([byte; 32]))
    }

    /// Of generation 1 to `last`, each of bytes that are its generation.
    fn up_to(last: u8) -> Keyring {
        let first = Keyring::of_one(1, key(1));
        (2..=last).fold(first, |all, byte| all.next(key(byte)).unwrap())
    }

    #[test]
    fn the_key_of_now_opens_all_that_were_before() {
        for last in [1, 2, 33] {
            let sealed = up_to(last).seal_earlier(&SERVER);
            let opened = sealed.open(&SERVER, last.into(), &key(last)).unwrap();
            for generation in 1..=last {
                let found = opened.of_generation(generation.into()).unwrap();
                assert_eq!(found.expose(), &[generation; 32]);
            }
            assert!(opened.of_generation(0).is_none());
            assert!(opened.of_generation(u32::from(last) + 1).is_none());
            assert_eq!(opened.all().count(), usize::from(last));
            let newest = opened.all().next().unwrap();
            assert_eq!((newest.0, newest.1.expose()[0]), (last.into(), last));
        }
    }

    #[test]
    fn an_earlier_key_opens_no_later_one() {
        let sealed = up_to(3).seal_earlier(&SERVER);
        for earlier in [1, 2] {
            assert!(sealed.open(&SERVER, 3, &key(earlier)).is_err());
        }
        assert!(sealed.open(&SERVER, 2, &key(3)).is_err());
        assert!(sealed.open(&[8; 16], 3, &key(3)).is_err());
    }

    #[test]
    fn thirty_two_earlier_keys_are_the_most() {
        assert!(up_to(32).next(key(99)).is_some());
        assert!(up_to(33).next(key(99)).is_none());
    }
}
