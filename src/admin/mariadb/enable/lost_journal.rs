//! Resumes a run whose journal is lost or damaged.

use std::path::PathBuf;

use crate::admin::mariadb::check_file::read_check_file;
use crate::admin::mariadb::run_records::journal::{self, Journal};
use crate::admin::mariadb::run_records::lost_journal::{USUAL, reconstruct};
use crate::admin::mariadb::run_records::paths;
use crate::admin::problem::{Problem, Result};

use super::say;

/// Reads the journal. Where it is lost, it is written again from what the room
/// of the original tells. That room lies beside the data directory, which
/// the check file names, else `configured`: MariaDB's own settings.
///
/// # Errors
/// When there is a journal that cannot be read, and no room tells more; with
/// what to do.
pub fn recover(configured: impl FnOnce() -> Option<PathBuf>) -> Result<Option<Journal>> {
    let read = Journal::read();
    if let Ok(Some(journal)) = read {
        return Ok(Some(journal));
    }
    let data = match read_check_file() {
        Ok(check) => check.data_directory().into(),
        Err(_) => configured().unwrap_or_else(|| USUAL.into()),
    };
    let found = reconstruct(read, &data).map_err(|error| {
        Problem::refused(
            format!("{error}. Nothing was changed."),
            format!(
                "No original is beside {}. Remove the file: `rm {}`. Then run the command \
                 again.",
                data.display(),
                journal::FILE
            ),
        )
    })?;
    if let Some(journal) = &found {
        say(format!(
            "The journal of an earlier run is lost; its {} is there.",
            journal.conversion.original()
        ));
        journal.write().map_err(paths::problem)?;
    }
    Ok(found)
}
