//! A clear original whose journal is lost or damaged. Its room still carries
//! the run's mark, so the run can be taken up: from a stage that destroys
//! nothing and undoes nothing without comparing.

use std::fs;
use std::io;
use std::path::Path;

use crate::admin::mariadb::gate::read_check_file;
use crate::admin::mariadb::launch::started_by_the_unit;
use crate::admin::mariadb::server::ServiceUser;
use crate::admin::{Problem, Result};

use super::journal::{self, Journal, OriginalEnds, Stage};
use super::marks::Marked;
use super::original::BEING_DESTROYED;
use super::places::{self, Places};
use super::{preflight, say};

/// Where Debian's MariaDB has its data.
const USUAL: &str = "/var/lib/mysql";

/// The journal; where there is none, what the room of an original tells of
/// its run.
///
/// # Errors
/// When there is a journal that cannot be read, and no room tells more.
pub fn find() -> io::Result<Option<Journal>> {
    let read = Journal::read();
    if let Ok(Some(_)) = read {
        return read;
    }
    let check = read_check_file();
    let data = check.as_ref().map_or(USUAL, |check| check.data_directory());
    judge(read, &Places::of(Path::new(data)))
}

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
    let found = judge(read, &Places::of(&data)).map_err(|error| {
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
        journal.write().map_err(places::problem)?;
    }
    Ok(found)
}

fn judge(read: io::Result<Option<Journal>>, places: &Places) -> io::Result<Option<Journal>> {
    match Marked::owner(&places.original) {
        Some(run) if places.original.join("data").exists() => Ok(Some(Journal {
            run,
            stage: stage(places),
            data: places.data.seen().to_owned(),
            // What its owner wanted is lost with the journal.
            ends: OriginalEnds::Never,
            since: changed(&places.original),
            boot: String::new(),
        })),
        _ => read,
    }
}

fn stage(places: &Places) -> Stage {
    if places.original.join(BEING_DESTROYED).exists() {
        return Stage::Destroying;
    }
    // Where the copy lies in its place MariaDB may have worked in it.
    match preflight::holds_something(places.data.real()) {
        true => Stage::Starting,
        false => Stage::Switching,
    }
}

/// When the original was put there, in seconds since 1970; 0 where the
/// filesystem does not tell.
fn changed(room: &Path) -> u64 {
    let time = fs::metadata(room).and_then(|at| at.modified());
    time.ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs())
}
