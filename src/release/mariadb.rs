//! The keys of MariaDB, derived from the master keys: the key file for its
//! plugin `file_key_management`, and the check file by which the gate
//! recognises the right keys. Pure.

mod check;
mod key_file;
mod rotation;

use crate::keys::{Keyring, MasterKey, Secret32};
pub use crate::vault::{KeyId, MAX_KEY_IDS, MariadbRelease};

pub use check::{CheckFile, CheckFileError, KeyFault};
pub use key_file::{KeyFile, KeyFileError, ReleasedKey};
pub use rotation::{Target, is_of_a_generation};

/// The key file's name in the release directory.
pub const KEY_FILE_NAME: &str = "mariadb.keys";

impl MariadbRelease {
    /// The key file with all keys.
    pub fn key_file(&self, keys: &Keyring) -> KeyFile {
        KeyFile::of(self.keys(keys))
    }

    /// The check file with the check values of all keys, for the data directory
    /// `data_directory`.
    ///
    /// # Errors
    /// [`CheckFileError`] when the path does not fit the file's format.
    pub fn check_file(
        &self,
        keys: &Keyring,
        data_directory: &str,
    ) -> Result<CheckFile, CheckFileError> {
        CheckFile::of(data_directory, self.keys(keys))
    }

    /// All keys with their ids. One whose master key is not there is left out: the gate
    /// then says which is missing, and MariaDB does not start.
    pub fn keys<'a>(&'a self, keys: &'a Keyring) -> impl Iterator<Item = ReleasedKey> + 'a {
        self.key_ids.iter().filter_map(|id| {
            let master_key = keys.of_generation(id.generation)?;
            Some(ReleasedKey {
                id: id.id,
                key: key(master_key, id.id),
            })
        })
    }

    /// What MariaDB is given for a database that is there already, by its check values:
    /// which master key each of its keys follows from.
    ///
    /// # Errors
    /// The first [`KeyFault`] where no master key of this server fits.
    pub fn of_database(
        uid: u32,
        gid: u32,
        check: &CheckFile,
        keys: &Keyring,
    ) -> Result<Self, KeyFault> {
        let key_ids = check.ids().map(|id| {
            let is_right = |(_, master_key): &(u32, &MasterKey)| {
                let key = key(master_key, id);
                check.recognises(&ReleasedKey { id, key })
            };
            let found = keys.all().find(is_right);
            let (generation, _) = found.ok_or(KeyFault::Wrong(id))?;
            Ok(KeyId { id, generation })
        });
        Ok(Self {
            uid,
            gid,
            key_ids: key_ids.collect::<Result<_, _>>()?,
        })
    }
}

/// The key of one id, derived from a master key alone.
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
        let release = MariadbRelease::new(104, 111, 1);
        let mut buffer = [0; 200];
        let bytes = postcard::to_slice(&release, &mut buffer).unwrap();
        assert_eq!(
            postcard::from_bytes::<MariadbRelease>(bytes).unwrap(),
            release
        );
    }

    /// Keys of generation 1 and 2, each of bytes that are its generation.
    fn replaced_once() -> Keyring {
        Keyring::of_one(1, master(1)).next(master(2)).unwrap()
    }

    #[test]
    fn a_database_keeps_its_keys_when_the_master_key_is_replaced() {
        let release = MariadbRelease::new(104, 111, 1);
        let before = release.key_file(&Keyring::of_one(1, master(1)));
        let after = release.key_file(&replaced_once());
        assert_eq!(after.as_bytes(), before.as_bytes());
        // A new id follows from the key of its time.
        let mut rotated = release.clone();
        let (id, generation) = (101, 2);
        rotated.key_ids.push(KeyId { id, generation }).unwrap();
        let keys = replaced_once();
        let keys: Vec<_> = rotated.keys(&keys).collect();
        assert_eq!(keys[0].key.expose(), key(&master(1), 1).expose());
        assert_eq!(keys[2].key.expose(), key(&master(2), 101).expose());
    }

    #[test]
    fn a_key_whose_master_key_is_lost_is_missed_by_the_gate() {
        let release = MariadbRelease::new(104, 111, 1);
        let check = release.check_file(&replaced_once(), "/data").unwrap();
        let without = Keyring::of_one(2, master(2));
        let keys: Vec<_> = release.keys(&without).collect();
        assert_eq!(check.verify(&keys), Err(KeyFault::Missing(1)));
    }

    #[test]
    fn the_check_values_tell_which_master_key_each_id_follows_from() {
        let keys = replaced_once();
        let mut release = MariadbRelease::new(104, 111, 1);
        let (id, generation) = (101, 2);
        release.key_ids.push(KeyId { id, generation }).unwrap();
        let check = release.check_file(&keys, "/data").unwrap();
        let found = MariadbRelease::of_database(104, 111, &check, &keys);
        assert_eq!(found.as_ref(), Ok(&release));
        // No file was written with one that is only announced.
        let key = key(keys.current(), 202);
        let announced = check.announcing(&ReleasedKey { id: 202, key }).unwrap();
        let found = MariadbRelease::of_database(104, 111, &announced, &keys);
        assert_eq!(found, Ok(release));
        let foreign = Keyring::of_one(1, master(3));
        let found = MariadbRelease::of_database(104, 111, &check, &foreign);
        assert_eq!(found, Err(KeyFault::Wrong(1)));
    }
}
