//! The encrypted database that this system knows, by its check file.

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::keys::Keyring;
use crate::release::mariadb::MariadbRelease;

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
