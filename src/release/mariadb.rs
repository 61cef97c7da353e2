//! What MariaDB gets: the key file of its `file_key_management` plugin, made
//! from the master key, and the values by which the gate knows those keys
//! again. Pure.

mod check;
mod key_file;

use crate::keys::{MasterKey, Secret32};
pub use crate::vault::{MAX_KEY_IDS, MariadbRelease};

pub use check::{CheckFile, CheckFileError, KeyFault};
pub use key_file::{KeyFile, KeyFileError, ReleasedKey};

/// The key file's name in the release directory.
pub const KEY_FILE_NAME: &str = "mariadb.keys";

impl MariadbRelease {
    /// The key file's whole text.
    pub fn key_file(&self, master_key: &MasterKey) -> KeyFile {
        KeyFile::of(self.keys(master_key))
    }

    /// The check values of every key, for the server whose data directory is
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

    /// What the key file holds.
    pub fn keys<'a>(&'a self, master_key: &'a MasterKey) -> impl Iterator<Item = ReleasedKey> + 'a {
        self.key_ids.iter().map(|&id| ReleasedKey {
            id,
            key: key(master_key, id),
        })
    }
}

/// The key of one id. An old backup stick opens a database whose ids were
/// added later, because every key follows from the master key alone.
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
