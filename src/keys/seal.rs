//! Seals data with AES-256-GCM under a key that is used once.
//!
//! Each seal draws a new salt, with which HKDF derives the key of this seal,
//! and a new nonce. So no key and nonce are ever used twice.

use aes_gcm::aead::{AeadInOut, Tag};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use serde::{Deserialize, Serialize};

use super::Secret32;
use super::random::random_bytes;

/// The public part of a seal. The ciphertext is beside it and as long as the
/// plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Salt of HKDF.
    pub salt: [u8; 32],
    /// Nonce of AES-GCM, 96 bits.
    pub nonce: [u8; 12],
    /// Tag of AES-GCM, 128 bits.
    pub tag: [u8; 16],
}

/// A seal or wrap did not open: the key is wrong, or bytes were changed.
/// AES-GCM cannot tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsealError;

fn wrapping_key(secret: &Secret32, salt: &[u8; 32], label: &str) -> Aes256Gcm {
    let key = secret.derive(salt, label.as_bytes());
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.expose()))
}

/// Encrypts `data` in place under a key derived from `secret` for `label`.
/// `associated` is authenticated but not stored.
pub fn seal(secret: &Secret32, label: &str, associated: &[u8], data: &mut [u8]) -> Sealed {
    let salt = random_bytes();
    let nonce: [u8; 12] = random_bytes();
    let tag = wrapping_key(secret, &salt, label)
        .encrypt_inout_detached(&Nonce::from(nonce), associated, data.into())
        .expect("AES-GCM takes messages up to 64 GiB");
    Sealed {
        salt,
        nonce,
        tag: tag.into(),
    }
}

/// Decrypts what [`seal`] has encrypted, in place. After an error the content
/// of `data` is undefined.
///
/// # Errors
/// [`UnsealError`] when the secret, the label, the associated data, the seal or
/// `data` is not the one that was sealed.
pub fn open(
    secret: &Secret32,
    label: &str,
    associated: &[u8],
    sealed: &Sealed,
    data: &mut [u8],
) -> Result<(), UnsealError> {
    wrapping_key(secret, &sealed.salt, label)
        .decrypt_inout_detached(
            &Nonce::from(sealed.nonce),
            associated,
            data.into(),
            &Tag::<Aes256Gcm>::from(sealed.tag),
        )
        .map_err(|_| UnsealError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_nothing_else_does(
            plain in proptest::collection::vec(any::<u8>(), 1..200),
            flip in any::<prop::sample::Index>(),
        ) {
            let secret = Secret32::random();
            let mut data = plain.clone();
            let sealed = seal(&secret, "test", b"ad", &mut data);

            let mut again = data.clone();
            prop_assert!(open(&secret, "test", b"ad", &sealed, &mut again).is_ok());
            prop_assert_eq!(&again, &plain);

            let refused = |secret: &Secret32, label, ad: &[u8], sealed: &Sealed, data: &[u8]| {
                let mut data = data.to_vec();
                open(secret, label, ad, sealed, &mut data).is_err()
            };
            prop_assert!(refused(&Secret32::random(), "test", b"ad", &sealed, &data));
            prop_assert!(refused(&secret, "other", b"ad", &sealed, &data));
            prop_assert!(refused(&secret, "test", b"other", &sealed, &data));
            let mut bent = data.clone();
            bent[flip.index(data.len())] ^= 1;
            prop_assert!(refused(&secret, "test", b"ad", &sealed, &bent));
        }
    }

    #[test]
    fn two_wraps_of_the_same_share_nothing() {
        let secret = Secret32::random();
        let (mut a, mut b) = ([7u8; 32], [7u8; 32]);
        let first = seal(&secret, "test", b"", &mut a);
        let second = seal(&secret, "test", b"", &mut b);
        assert_ne!(first.salt, second.salt);
        assert_ne!(first.nonce, second.nonce);
        assert_ne!(a, b);
    }
}
