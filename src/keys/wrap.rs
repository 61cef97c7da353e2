//! Wraps 32 bytes: the master key under the values of a place or the key of a way in,
//! and that key under what somebody knows.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::random::random_bytes;
use super::{MasterKey, Sealed, Secret32, UnsealError, open, seal};

/// What the 32 bytes in a wrap are. The byte is encrypted, so that nothing
/// outside tells one kind of slot from another.
const IS_MASTER_KEY: u8 = 1;
/// Random bytes: whoever opens this wrap wants the vault to be destroyed.
const IS_DURESS: u8 = 2;
/// The key of a way in, under what somebody knows.
const IS_WAY_KEY: u8 = 3;

/// A wrapped key: 93 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    sealed: Sealed,
    kind: u8,
    key: [u8; 32],
}

/// The content of a wrap.
#[derive(Debug)]
pub enum Unwrapped {
    /// The master key.
    Key(MasterKey),
    /// Random bytes: it is a duress slot.
    Duress,
}

impl WrappedKey {
    /// Wraps `key` under `secret`, bound to `label` and to the `associated`
    /// data, which is not stored.
    pub fn wrap(secret: &Secret32, label: &str, associated: &[u8], key: &MasterKey) -> Self {
        Self::wrap_bytes(secret, label, associated, IS_MASTER_KEY, key.expose())
    }

    /// A wrap for duress: it looks like any other but holds no key.
    pub fn wrap_duress(secret: &Secret32, label: &str, associated: &[u8]) -> Self {
        let nothing = Secret32::random();
        Self::wrap_bytes(secret, label, associated, IS_DURESS, nothing.expose())
    }

    /// Wraps the key of a way in.
    pub(super) fn wrap_way_key(
        secret: &Secret32,
        label: &str,
        associated: &[u8],
        key: &Secret32,
    ) -> Self {
        Self::wrap_bytes(secret, label, associated, IS_WAY_KEY, key.expose())
    }

    /// A wrap of random bytes, which no secret opens.
    pub fn of_nothing() -> Self {
        Self {
            sealed: Sealed {
                salt: random_bytes(),
                nonce: random_bytes(),
                tag: random_bytes(),
            },
            kind: random_bytes::<1>()[0],
            key: random_bytes(),
        }
    }

    fn wrap_bytes(
        secret: &Secret32,
        label: &str,
        associated: &[u8],
        kind: u8,
        bytes: &[u8; 32],
    ) -> Self {
        let mut plain = Zeroizing::new([0u8; 33]);
        plain[0] = kind;
        plain[1..].copy_from_slice(bytes);
        let sealed = seal(secret, label, associated, plain.as_mut_slice());
        let mut wrapped = [0; 32];
        wrapped.copy_from_slice(&plain[1..]);
        Self {
            sealed,
            kind: plain[0],
            key: wrapped,
        }
    }

    /// Unwraps the master key.
    ///
    /// # Errors
    /// [`UnsealError`] when the secret, the label or the associated data is
    /// another one, or the wrap holds no master key.
    pub fn unwrap(
        &self,
        secret: &Secret32,
        label: &str,
        associated: &[u8],
    ) -> Result<MasterKey, UnsealError> {
        match self.unwrap_any(secret, label, associated)? {
            Unwrapped::Key(key) => Ok(key),
            Unwrapped::Duress => Err(UnsealError),
        }
    }

    /// Unwraps a slot that may be for duress.
    ///
    /// # Errors
    /// [`UnsealError`] when the secret, the label or the associated data is
    /// another one, or the wrap holds anything else.
    pub fn unwrap_any(
        &self,
        secret: &Secret32,
        label: &str,
        associated: &[u8],
    ) -> Result<Unwrapped, UnsealError> {
        let (kind, secret) = self.open(secret, label, associated)?;
        match kind {
            IS_MASTER_KEY => Ok(Unwrapped::Key(MasterKey::from_secret(secret))),
            IS_DURESS => Ok(Unwrapped::Duress),
            _ => Err(UnsealError),
        }
    }

    /// Unwraps the key of a way in.
    ///
    /// # Errors
    /// [`UnsealError`] when the secret, the label or the associated data is
    /// another one, or the wrap holds anything else.
    pub(super) fn unwrap_way_key(
        &self,
        secret: &Secret32,
        label: &str,
        associated: &[u8],
    ) -> Result<Secret32, UnsealError> {
        match self.open(secret, label, associated)? {
            (IS_WAY_KEY, key) => Ok(key),
            _ => Err(UnsealError),
        }
    }

    /// What the 32 bytes are, and the bytes.
    fn open(
        &self,
        secret: &Secret32,
        label: &str,
        associated: &[u8],
    ) -> Result<(u8, Secret32), UnsealError> {
        let mut plain = Zeroizing::new([0u8; 33]);
        plain[0] = self.kind;
        plain[1..].copy_from_slice(&self.key);
        open(
            secret,
            label,
            associated,
            &self.sealed,
            plain.as_mut_slice(),
        )?;
        let mut bytes = Secret32::new([0; 32]);
        bytes.expose_mut().copy_from_slice(&plain[1..]);
        Ok((plain[0], bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrap_opens_with_its_own_secret_only() {
        let key = MasterKey::generate();
        let secret = Secret32::random();
        let wrap = WrappedKey::wrap(&secret, "slot", b"server", &key);
        let again = wrap.unwrap(&secret, "slot", b"server").unwrap();
        assert_eq!(again.expose(), key.expose());
        assert!(wrap.unwrap(&Secret32::random(), "slot", b"server").is_err());
        assert!(wrap.unwrap(&secret, "slot", b"other").is_err());
        assert!(wrap.unwrap(&secret, "stick", b"server").is_err());
    }

    #[test]
    fn bytes_that_are_no_master_key_are_not_taken_for_one() {
        let secret = Secret32::random();
        let mut plain = [9u8; 33];
        let sealed = seal(&secret, "slot", b"", &mut plain);
        let wrap = WrappedKey {
            sealed,
            kind: plain[0],
            key: plain[1..].try_into().unwrap(),
        };
        assert!(wrap.unwrap(&secret, "slot", b"").is_err());
        assert!(wrap.unwrap_any(&secret, "slot", b"").is_err());
    }

    #[test]
    fn a_wrap_for_duress_never_gives_a_key() {
        let secret = Secret32::random();
        let wrap = WrappedKey::wrap_duress(&secret, "slot", b"");
        assert!(wrap.unwrap(&secret, "slot", b"").is_err());
        let held = wrap.unwrap_any(&secret, "slot", b"");
        assert!(matches!(held, Ok(Unwrapped::Duress)));
    }
}
