//! The master key and what is derived from it.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::random::fill_random;

/// 32 secret bytes, erased on drop, never shown.
#[derive(Clone, Zeroize)]
pub struct Secret32([u8; 32]);

impl Drop for Secret32 {
    // Not inlined: 32 volatile writes would be copied to every end of a secret.
    #[inline(never)]
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Secret32 {}

impl Secret32 {
    /// Bytes of a secret.
    pub const LEN: usize = 32;

    /// A secret with these bytes. The caller erases its own copy.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new secret, from the kernel's random bytes.
    pub fn random() -> Self {
        let mut secret = Self([0; 32]);
        fill_random(&mut secret.0);
        secret
    }

    /// Derives 32 bytes for one purpose with HKDF-SHA256 (RFC 5869). `salt` may
    /// be empty; `info` names the purpose and is different for each.
    pub fn derive(&self, salt: &[u8], info: &[u8]) -> Secret32 {
        Self::derive_from(&self.0, salt, info)
    }

    /// Derives 32 bytes for one purpose from secret bytes of any length, with
    /// HKDF-SHA256 (RFC 5869). The bytes must not be guessable.
    pub fn derive_from(bytes: &[u8], salt: &[u8], info: &[u8]) -> Secret32 {
        let mut out = Self([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), bytes)
            .expand(info, &mut out.0)
            .expect("32 bytes is a valid HKDF-SHA256 output length");
        out
    }

    /// The bytes. Whoever copies them has to erase the copy.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes, to fill a secret in place.
    pub fn expose_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

impl core::fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret32(..)")
    }
}

/// The master key. Everything that is released is derived from it.
#[derive(Clone, Debug)]
pub struct MasterKey(Secret32);

impl MasterKey {
    /// A new master key, from the kernel's random bytes.
    pub fn generate() -> Self {
        Self(Secret32::random())
    }

    /// The master key that a wrap, a stick or a code has given.
    pub fn from_secret(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Derives 32 bytes for one purpose. `label` names the purpose and is
    /// different for each.
    pub fn derive(&self, label: &str) -> Secret32 {
        self.0.derive(b"", label.as_bytes())
    }

    pub(super) fn secret(&self) -> &Secret32 {
        &self.0
    }

    /// The bytes, for wrapping only.
    pub fn expose(&self) -> &[u8; 32] {
        self.secret().expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_gives_the_published_bytes() {
        // RFC 5869 appendix A.3 uses a 22-byte key; with a 32-byte one the
        // construction is checked by hand: PRK = HMAC(salt, key),
        // OKM = HMAC(PRK, info || 0x01).
        use hmac::{Hmac, KeyInit, Mac};
        let secret = Secret32::new([0x0b; 32]);
        let mac = |key: &[u8], data: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(data);
            mac.finalize().into_bytes()
        };
        let prk = mac(b"salt", secret.expose());
        let expected = mac(&prk, b"info\x01");
        assert_eq!(secret.derive(b"salt", b"info").expose()[..], expected[..]);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let key = MasterKey::from_secret(Secret32::new([0xab; 32]));
        assert_eq!(format!("{key:?}"), "MasterKey(Secret32(..))");
    }
}
