//! Which keys MariaDB is given: a new master key changes none that files are written with.

use crate::admin::mariadb::service_user::ServiceUser;
use crate::keys::Keyring;
use crate::release::mariadb::{CheckFile, KeyFault, MariadbRelease};

/// What is known of the keys that the database's files are written with.
#[derive(Clone, Copy)]
pub enum DatabaseKeys<'a> {
    /// The check values of an encrypted database.
    Of(&'a CheckFile),
    /// A run goes on with the copy that it has made, or a backup is to be restored here: with
    /// the keys that the vault gave MariaDB then.
    AsBefore,
    /// Nothing is encrypted yet: they follow from the master key of now.
    New,
}

impl DatabaseKeys<'_> {
    /// What the vault is to give MariaDB, where it gives it `known` already.
    ///
    /// # Errors
    /// The first [`KeyFault`] where the database has other keys than this vault.
    pub fn release(
        self,
        user: &ServiceUser,
        keys: &Keyring,
        known: Option<&MariadbRelease>,
    ) -> Result<MariadbRelease, KeyFault> {
        let new = MariadbRelease::new(user.uid, user.gid, keys.generation());
        match (self, known) {
            (Self::Of(check), _) => MariadbRelease::of_database(user.uid, user.gid, check, keys),
            (Self::AsBefore, Some(known)) => Ok(MariadbRelease {
                key_ids: known.key_ids.clone(),
                ..new
            }),
            (Self::AsBefore, None) | (Self::New, _) => Ok(new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{MasterKey, Secret32};

    #[test]
    fn a_copy_keeps_its_keys_though_the_master_key_was_replaced() {
        let user = ServiceUser { uid: 104, gid: 111 };
        let first = Keyring::of_bytes(1);
        let release = |keys: DatabaseKeys<'_>, all: &Keyring, known: Option<&MariadbRelease>| {
            keys.release(&user, all, known)
        };
        let before = release(DatabaseKeys::New, &first, None).unwrap();
        let check = before.check_file(&first, "/var/lib/mysql").unwrap();
        // The power went, the server was started, and a stick was lost.
        let next = MasterKey::from_secret(Secret32::new([2; 32]));
        let all = first.next(next).unwrap();
        let known = Some(&before);
        let again = release(DatabaseKeys::AsBefore, &all, known);
        assert_eq!(again.as_ref(), Ok(&before));
        assert_eq!(release(DatabaseKeys::Of(&check), &all, None), again);
        // A copy that is made anew has nothing of the key of before.
        let anew = release(DatabaseKeys::New, &all, known).unwrap();
        assert!(anew.key_ids.iter().all(|id| id.generation == 2));
        let foreign = Keyring::of_bytes(3);
        assert!(release(DatabaseKeys::Of(&check), &foreign, known).is_err());
    }
}
