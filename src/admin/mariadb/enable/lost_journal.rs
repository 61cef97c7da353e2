//! A run whose journal is lost or damaged is taken up again.

use crate::admin::mariadb::check_file::read_check_file;
use crate::admin::mariadb::launch::started_by_the_unit;
use crate::admin::mariadb::run_records::journal::{self, Journal};
use crate::admin::mariadb::run_records::lost_journal::{USUAL, reconstruct};
use crate::admin::mariadb::run_records::paths::{self, Places};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::{Problem, Result};

use super::{preflight, say};

/// The journal for whoever goes on with the run. Where it is lost, MariaDB's
/// own settings tell where to look for the original, and what its room tells
/// is written down.
///
/// # Errors
/// When there is a journal that cannot be read, and no room tells more; with
/// what to do.
pub fn take_up() -> Result<Option<Journal>> {
    let read = Journal::read();
    if let Ok(Some(journal)) = read {
        return Ok(Some(journal));
    }
    let data = match read_check_file() {
        Ok(check) => check.data_directory().into(),
        Err(_) => ServiceUser::find()
            .and_then(|user| started_by_the_unit(&user))
            .map_or(USUAL.into(), |started| preflight::seen(&started.config)),
    };
    let found = reconstruct(read, &Places::of(&data)).map_err(|error| {
        Problem::refused(
            format!("{error}. Nothing was changed."),
            format!(
                "No clear original is beside {}. Remove the file: `rm {}`. Then run the command \
                 again.",
                data.display(),
                journal::FILE
            ),
        )
    })?;
    if let Some(journal) = &found {
        say("The journal of an earlier run is lost; its clear original is there.");
        journal.write().map_err(paths::problem)?;
    }
    Ok(found)
}
