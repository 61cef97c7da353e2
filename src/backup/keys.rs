//! The keys of backups, derived from the master key: one that decrypts, and one that tells
//! the owner's backups from everybody else's. The second opens nothing, so it may lie in
//! memory beside MariaDB's keys, and no backup needs a passphrase.

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use crate::keys::{MasterKey, Secret32};

#[cfg(any(test, feature = "admin"))]
const IDENTITY: &str = "stayput backup identity v1";
const MANIFEST: &str = "stayput backup manifest v1";

/// The file of the manifests' key in the filesystem in memory, for root alone.
pub const MANIFEST_KEY_FILE: &str = "backup.manifest";

/// The key of the HMACs by which backups of one server and one master key are known.
#[derive(Clone, Debug)]
pub struct ManifestKey(Secret32);

impl ManifestKey {
    /// The one that follows from the master key.
    pub fn of(master: &MasterKey) -> Self {
        Self(master.derive(MANIFEST))
    }

    /// One that was released.
    pub fn from_released(bytes: Secret32) -> Self {
        Self(bytes)
    }

    /// The bytes, to be released.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// HMAC-SHA256 under this key, not finished.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.0.expose()).expect("HMAC takes a key of any length")
    }
}

/// The secret of the age identity (X25519) that decrypts the backups of a generation.
#[cfg(any(test, feature = "admin"))]
fn identity(master: &MasterKey, generation: u32) -> Secret32 {
    let salt = generation.to_le_bytes();
    master.derive(IDENTITY).derive(&salt, IDENTITY.as_bytes())
}

/// The identity as age reads it: `AGE-SECRET-KEY-1...`.
#[cfg(feature = "admin")]
pub fn age_identity(master: &MasterKey, generation: u32) -> zeroize::Zeroizing<String> {
    let secret = identity(master, generation);
    let mut text = super::bech32::encode("age-secret-key-", secret.expose());
    text.make_ascii_uppercase();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_secret(Secret32::new([byte; 32]))
    }

    #[test]
    fn labels_of_the_backup_keys_never_change() {
        // Other labels would make every backup that exists unreadable.
        let key = Secret32::new([7; 32]);
        let manifest = key.derive(b"", b"stayput backup manifest v1");
        assert_eq!(ManifestKey::of(&master(7)).expose(), manifest.expose());
        let inner = key.derive(b"", b"stayput backup identity v1");
        let outer = inner.derive(&[3, 0, 0, 0], b"stayput backup identity v1");
        assert_eq!(identity(&master(7), 3).expose(), outer.expose());
    }

    #[test]
    fn each_generation_has_an_identity_of_its_own() {
        let of = |byte, generation| *identity(&master(byte), generation).expose();
        assert_ne!(of(7, 1), of(7, 2));
        assert_ne!(of(7, 1), of(8, 1));
        assert_ne!(&of(7, 1), ManifestKey::of(&master(7)).expose());
    }
}
