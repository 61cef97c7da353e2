//! A value by which a key is recognised, and which does not reveal the key.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Secret32;

/// HMAC-SHA256 over a context, under a key of 256 random bits. It tells the
/// right key and reveals nothing that could be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckValue(pub [u8; 32]);

impl CheckValue {
    /// The check value of `key` in this context.
    pub fn of(key: &Secret32, context: &[u8]) -> Self {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
        mac.update(context);
        Self(mac.finalize().into_bytes().into())
    }

    /// Whether `key` is the one that this value was made from; in constant
    /// time.
    pub fn matches(&self, key: &Secret32, context: &[u8]) -> bool {
        Self::of(key, context).0.ct_eq(&self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_value_knows_its_key_and_its_context_alone() {
        let key = Secret32::random();
        let check = CheckValue::of(&key, b"server, generation 1");
        assert!(check.matches(&key, b"server, generation 1"));
        assert!(!check.matches(&key, b"server, generation 2"));
        assert!(!check.matches(&Secret32::random(), b"server, generation 1"));
    }
}
