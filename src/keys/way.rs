//! The keys of the ways in: each person, each stick and the recovery code has a way key
//! of its own, 32 random bytes.
//!
//! What somebody knows locks the way key; the way key wraps the master key; and the
//! vault keeps the way key sealed under the master key. So whoever has the master key
//! wraps the next one for everybody, and asks nobody.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::wrap::{Unwrapped, WrappedKey};
use super::{MasterKey, Sealed, Secret32, UnsealError, open, seal};

const LOCK: &str = "stayput way lock v1";
const WRAP: &str = "stayput way master key v1";
const SEAL: &str = "stayput way key v1";

/// The random key of one way in.
#[derive(Clone, Debug)]
pub struct WayKey(Secret32);

impl PartialEq for WayKey {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.0.expose().ct_eq(other.0.expose()))
    }
}

impl WayKey {
    /// A new one, from the kernel's random bytes.
    pub fn random() -> Self {
        Self(Secret32::random())
    }

    /// One that a lock, a seal or the letters of a code have given.
    pub fn from_secret(secret: Secret32) -> Self {
        Self(secret)
    }

    /// The bytes, for locks, seals and letters.
    pub(super) fn secret(&self) -> &Secret32 {
        &self.0
    }
}

/// What a way in is. Its number is in what the wraps are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayKind {
    /// A person's passphrase.
    Person = 1,
    /// A stick.
    Stick = 2,
    /// The recovery code.
    Code = 3,
}

/// One way in of one server: what its lock, its wrap and its seal are bound to.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The server's id.
    pub server: [u8; 16],
    /// What it is.
    pub kind: WayKind,
    /// Its id among those of its kind.
    pub id: [u8; 8],
}

/// A way key, sealed under the master key, and the generation that it was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedWayKey {
    sealed: Sealed,
    key: [u8; 32],
    made_in: [u8; 4],
}

/// A way key that the master key has unsealed.
#[derive(Clone, Debug)]
pub struct UnsealedWayKey {
    /// The key.
    pub key: WayKey,
    /// The generation of master keys in which it was made, from 1.
    pub made_in: u32,
}

impl Way {
    /// Kind, server and id: what never changes.
    fn bound_to(&self, more: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(25 + more.len());
        data.push(self.kind as u8);
        data.extend_from_slice(&self.server);
        data.extend_from_slice(&self.id);
        data.extend_from_slice(more);
        data
    }

    /// Wraps the way key under what somebody knows. It is bound to `beside`, what else
    /// stands in the clear; not to a generation, because nobody knows the secret when
    /// the next one is made.
    pub fn lock(&self, secret: &Secret32, beside: &[u8], key: &WayKey) -> WrappedKey {
        WrappedKey::wrap_way_key(secret, LOCK, &self.bound_to(beside), key.secret())
    }

    /// The way key, from what somebody knows.
    ///
    /// # Errors
    /// [`UnsealError`] when it is wrong, or bytes were changed.
    pub fn unlock(
        &self,
        secret: &Secret32,
        beside: &[u8],
        locked: &WrappedKey,
    ) -> Result<WayKey, UnsealError> {
        locked
            .unwrap_way_key(secret, LOCK, &self.bound_to(beside))
            .map(WayKey)
    }

    /// Wraps the master key of a generation for this way.
    pub fn wrap(&self, way: &WayKey, generation: u32, key: &MasterKey) -> WrappedKey {
        let bound_to = self.bound_to(&generation.to_le_bytes());
        WrappedKey::wrap(way.secret(), WRAP, &bound_to, key)
    }

    /// A wrap for duress in the place of one of the master key.
    pub fn wrap_duress(&self, way: &WayKey, generation: u32) -> WrappedKey {
        let bound_to = self.bound_to(&generation.to_le_bytes());
        WrappedKey::wrap_duress(way.secret(), WRAP, &bound_to)
    }

    /// What the way key opens. Whether the key is this server's is not checked.
    ///
    /// # Errors
    /// [`UnsealError`] when it is another way's, or of another generation.
    pub fn unwrap(
        &self,
        way: &WayKey,
        generation: u32,
        wrapped: &WrappedKey,
    ) -> Result<Unwrapped, UnsealError> {
        let bound_to = self.bound_to(&generation.to_le_bytes());
        wrapped.unwrap_any(way.secret(), WRAP, &bound_to)
    }

    /// The master key, from the way key.
    ///
    /// # Errors
    /// As [`Way::unwrap`], and where it is a wrap for duress.
    pub fn master_key(
        &self,
        way: &WayKey,
        generation: u32,
        wrapped: &WrappedKey,
    ) -> Result<MasterKey, UnsealError> {
        match self.unwrap(way, generation, wrapped)? {
            Unwrapped::Key(key) => Ok(key),
            Unwrapped::Duress => Err(UnsealError),
        }
    }

    /// Seals the way key under the master key of a generation.
    pub fn seal(&self, key: &MasterKey, generation: u32, way: &UnsealedWayKey) -> SealedWayKey {
        let mut plain = Zeroizing::new([0; 36]);
        plain[..32].copy_from_slice(way.key.secret().expose());
        plain[32..].copy_from_slice(&way.made_in.to_le_bytes());
        let bound_to = self.bound_to(&generation.to_le_bytes());
        let sealed = seal(&key.derive(SEAL), SEAL, &bound_to, plain.as_mut_slice());
        let mut of = SealedWayKey {
            sealed,
            key: [0; 32],
            made_in: [0; 4],
        };
        of.key.copy_from_slice(&plain[..32]);
        of.made_in.copy_from_slice(&plain[32..]);
        of
    }

    /// The way key, from the master key of that generation.
    ///
    /// # Errors
    /// [`UnsealError`] when it was sealed under another one, or bytes were changed.
    pub fn unseal(
        &self,
        key: &MasterKey,
        generation: u32,
        of: &SealedWayKey,
    ) -> Result<UnsealedWayKey, UnsealError> {
        let mut plain = Zeroizing::new([0; 36]);
        plain[..32].copy_from_slice(&of.key);
        plain[32..].copy_from_slice(&of.made_in);
        let bound_to = self.bound_to(&generation.to_le_bytes());
        open(
            &key.derive(SEAL),
            SEAL,
            &bound_to,
            &of.sealed,
            plain.as_mut_slice(),
        )?;
        let mut secret = Secret32::new([0; 32]);
        secret.expose_mut().copy_from_slice(&plain[..32]);
        let mut made_in = [0; 4];
        made_in.copy_from_slice(&plain[32..]);
        Ok(UnsealedWayKey {
            key: WayKey(secret),
            made_in: u32::from_le_bytes(made_in),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALIMA: Way = Way {
        server: [7; 16],
        kind: WayKind::Person,
        id: [1; 8],
    };

    /// Others that differ in one thing each.
    fn strangers() -> [Way; 3] {
        [
            Way {
                server: [8; 16],
                ..HALIMA
            },
            Way {
                kind: WayKind::Stick,
                ..HALIMA
            },
            Way {
                id: [2; 8],
                ..HALIMA
            },
        ]
    }

    fn made_in(made_in: u32, key: &WayKey) -> UnsealedWayKey {
        let key = key.clone();
        UnsealedWayKey { key, made_in }
    }

    #[test]
    fn the_secret_opens_its_own_way_alone() {
        let (secret, way, key) = (Secret32::random(), WayKey::random(), MasterKey::generate());
        let locked = HALIMA.lock(&secret, b"halima", &way);
        let wrapped = HALIMA.wrap(&way, 3, &key);
        let unlocked = HALIMA.unlock(&secret, b"halima", &locked).unwrap();
        let opened = HALIMA.master_key(&unlocked, 3, &wrapped).unwrap();
        assert_eq!(opened.expose(), key.expose());
        assert!(
            HALIMA
                .unlock(&Secret32::random(), b"halima", &locked)
                .is_err()
        );
        assert!(HALIMA.unlock(&secret, b"halimo", &locked).is_err());
        assert!(HALIMA.unwrap(&way, 4, &wrapped).is_err(), "a generation");
        for other in strangers() {
            assert!(other.unlock(&secret, b"halima", &locked).is_err());
            assert!(other.unwrap(&way, 3, &wrapped).is_err());
        }
    }

    #[test]
    fn the_master_key_has_every_way_key_and_its_age() {
        let (way, key) = (WayKey::random(), MasterKey::generate());
        let sealed = HALIMA.seal(&key, 3, &made_in(2, &way));
        let unsealed = HALIMA.unseal(&key, 3, &sealed).unwrap();
        assert_eq!(unsealed.key.secret().expose(), way.secret().expose());
        assert_eq!(unsealed.made_in, 2);
        assert!(HALIMA.unseal(&MasterKey::generate(), 3, &sealed).is_err());
        assert!(HALIMA.unseal(&key, 2, &sealed).is_err());
        for other in strangers() {
            assert!(other.unseal(&key, 3, &sealed).is_err());
        }
    }

    #[test]
    fn a_lock_holds_no_master_key_and_a_wrap_no_way_key() {
        let (secret, way, key) = (Secret32::random(), WayKey::random(), MasterKey::generate());
        let bound_to = HALIMA.bound_to(b"");
        let key_in_lock = WrappedKey::wrap(&secret, LOCK, &bound_to, &key);
        assert!(HALIMA.unlock(&secret, b"", &key_in_lock).is_err());
        let bound_to = HALIMA.bound_to(&3u32.to_le_bytes());
        let way_in_wrap = WrappedKey::wrap_way_key(way.secret(), WRAP, &bound_to, &secret);
        assert!(HALIMA.unwrap(&way, 3, &way_in_wrap).is_err());
    }

    #[test]
    fn a_way_for_duress_opens_and_gives_no_key() {
        let way = WayKey::random();
        let wrapped = HALIMA.wrap_duress(&way, 3);
        assert!(matches!(
            HALIMA.unwrap(&way, 3, &wrapped),
            Ok(Unwrapped::Duress)
        ));
        assert!(HALIMA.master_key(&way, 3, &wrapped).is_err());
    }
}
