//! The keys of MariaDB, derived from the master key: the key file for its
//! plugin `file_key_management`, and the check file by which the gate
//! recognises the right keys. Pure.

mod check;
mod key_file;

use crate::keys::{MasterKey, Secret32};
pub use crate::vault::{MAX_KEY_IDS, MariadbRelease};

pub use check::{CheckFile, CheckFileError, KeyFault};
pub use key_file::{KeyFile, KeyFileError, ReleasedKey};

/// The key file's name in the release directory.
pub const KEY_FILE_NAME: &str = "mariadb.keys";

impl MariadbRelease {
    /// The key file with all keys.
    pub fn key_file(&self, master_key: &MasterKey) -> KeyFile {
        KeyFile::of(self.keys(master_key))
    }

    /// The check file with the check values of all keys, for the data directory
    /// `data_directory`.
    ///
    /// # Errors
    /// [`CheckFileError`] when the path does not fit the file's format.
    pub fn check_file(
        &self,
        master_key: &MasterKey,
        data_directory: &str,
    ) -> Result<CheckFile, CheckFileError> {
        CheckFile::of(data_directory, self.keys(master_key))
    }

    /// All keys with their ids.
    pub fn keys<'a>(&'a self, master_key: &'a MasterKey) -> impl Iterator<Item = ReleasedKey> + 'a {
        self.key_ids.iter().map(|&id| ReleasedKey {
            id,
            key: key(master_key, id),
        })
    }
}

/// The key of one id, derived from the master key alone: an old backup stick
/// opens a database whose ids were added later.
pub fn key(master_key: &MasterKey, id: u32) -> Secret32 {
    use core::fmt::Write;
    let mut label: heapless::String<40> = heapless::String::new();
    write!(label, "stayput mariadb key {id} v1").expect("a label is at most 33 bytes");
    master_key.derive(&label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_secret(Secret32::new([byte; 32]))
    }

    #[test]
    fn a_key_follows_from_the_master_key_and_its_id_alone() {
        let one = key(&master(7), 1);
        assert_eq!(one.expose(), key(&master(7), 1).expose());
        assert_ne!(one.expose(), key(&master(7), 2).expose());
        assert_ne!(one.expose(), key(&master(8), 1).expose());
        // The longest label fits.
        key(&master(7), u32::MAX);
    }

    #[test]
    fn the_label_of_a_key_never_changes() {
        // A changed label would lock every database that exists: the bytes
        // are computed here from the documented label, step by step.
        let expected = Secret32::new([7; 32]).derive(b"", b"stayput mariadb key 12 v1");
        assert_eq!(key(&master(7), 12).expose(), expected.expose());
    }

    #[test]
    fn the_policy_survives_the_vault() {
        let release = MariadbRelease::new(104, 111);
        let mut buffer = [0; 200];
        let bytes = postcard::to_slice(&release, &mut buffer).unwrap();
        assert_eq!(
            postcard::from_bytes::<MariadbRelease>(bytes).unwrap(),
            release
        );
    }
}
