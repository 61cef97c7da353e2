//! Resumes a run whose journal is lost or damaged.

use crate::admin::mariadb::run_records::data_places;
use crate::admin::mariadb::run_records::journal::{self, Journal};
use crate::admin::mariadb::run_records::lost_journal::reconstruct;
use crate::admin::mariadb::run_records::paths;
use crate::admin::problem::{Problem, Result};

use super::say;

/// Reads the journal. Where it is lost, it is written again from what the room of the
/// original tells, which lies beside MariaDB's data.
///
/// # Errors
/// When there is a journal that cannot be read, and no room tells more, or nothing says
/// where that would be; with what to do. Nothing was changed.
pub fn recover() -> Result<Option<Journal>> {
    let read = Journal::read();
    if let Ok(Some(journal)) = read {
        return Ok(Some(journal));
    }
    let places = data_places().map_err(|error| {
        Problem::refused(
            format!(
                "Whether an earlier run has left something cannot be told: {error}. Nothing was \
                 changed."
            ),
            "Mend MariaDB's settings (`mariadbd --verbose --help` says what is wrong with them), \
             then run the command again.",
        )
    })?;
    let found = reconstruct(read, &places).map_err(|error| {
        let shown: Vec<_> = places
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        Problem::refused(
            format!("{error}. Nothing was changed."),
            format!(
                "No original is beside {}. If the data lies elsewhere, or on a disk that is not \
                 mounted, see to that first. Else remove the file: `rm {}`. Then run the command \
                 again.",
                shown.join(" or "),
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
