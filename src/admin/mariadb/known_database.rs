//! The keys of an encrypted database, by its check file: of the one that this system knows, or
//! that a backup has.

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::backup::CHECK_MAX;
use crate::keys::Keyring;
use crate::release::mariadb::{CheckFile, MariadbRelease};

// A manifest takes every check file.
const _: () = assert!(CheckFile::MAX <= CHECK_MAX);

/// What MariaDB has to be given for the files of a backup, whose manifest has this check file.
///
/// # Errors
/// When none of these master keys fits.
pub fn release_for_backup(check: &[u8], keys: &Keyring) -> Result<MariadbRelease> {
    let user = ServiceUser::find()?;
    let check = CheckFile::parse(check).ok();
    let release =
        check.and_then(|check| MariadbRelease::of_database(user.uid, user.gid, &check, keys).ok());
    release.ok_or_else(|| {
        Problem::refused(
            "The backup does not say which of this server's keys its files are encrypted with. \
             Nothing was changed.",
            "Take a backup that was made with --method dump.",
        )
    })
}

/// What MariaDB is given of these master keys; `None` where this system knows no
/// encrypted database.
///
/// # Errors
/// When its database has other keys.
pub fn release_for_known_database(keys: &Keyring) -> Result<Option<MariadbRelease>> {
    if !mariadb_service::is_enabled() {
        return Ok(None);
    }
    // What is wrong with these `stayput mariadb enable` tells: it is no reason not
    // to have the key.
    let (Ok(check), Ok(user)) = (load_check_file(), ServiceUser::find()) else {
        return Ok(None);
    };
    match MariadbRelease::of_database(user.uid, user.gid, &check, keys) {
        Ok(release) => Ok(Some(release)),
        Err(_) => Err(Problem::refused(
            format!(
                "The database in {} has other keys than this one.",
                check.data_directory()
            ),
            "Nothing was changed. Use a stick, or the code, of the server that the database comes \
             from.",
        )),
    }
}
