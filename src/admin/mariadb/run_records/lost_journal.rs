//! Reconstructs a journal that is lost or damaged. The room of the original still
//! carries the run's mark, so the run can be resumed, at a stage that
//! destroys nothing and undoes nothing without comparing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::admin::mariadb::conversion::Conversion;

use super::data_places::{data_places, usual};
use super::journal::{Journal, OriginalEnds, Stage};
use super::marked_room::MarkedRoom;
use super::paths::RunPaths;

/// A file in a room whose destruction has begun.
pub const BEING_DESTROYED: &str = "being-destroyed";

/// Reads the journal, or reconstructs it from the room of an original beside MariaDB's
/// data.
///
/// # Errors
/// When there is a journal that cannot be read, and no room tells more; also when nothing
/// says where that room would be.
pub fn read_or_reconstruct() -> io::Result<Option<Journal>> {
    let read = Journal::read();
    if let Ok(Some(_)) = read {
        return read;
    }
    match data_places() {
        Ok(places) => reconstruct(read, &places),
        Err(error) => reconstruct(read.and(Err(error)), &usual()),
    }
}

/// Reconstructs the journal from the room of an original beside one of these data
/// directories, as MariaDB sees them. Without such a room the result of reading stands.
///
/// # Errors
/// What reading the journal said.
pub fn reconstruct(
    read: io::Result<Option<Journal>>,
    places: &[PathBuf],
) -> io::Result<Option<Journal>> {
    let of = |seen: &PathBuf| {
        let of = |conversion| of_room(seen, conversion);
        Conversion::ALL.into_iter().find_map(of)
    };
    match places.iter().find_map(of) {
        Some(journal) => Ok(Some(journal)),
        None => read,
    }
}

fn of_room(seen: &Path, conversion: Conversion) -> Option<Journal> {
    let paths = RunPaths::of(seen, conversion);
    let run = MarkedRoom::owner(&paths.original)?;
    paths.original.join("data").exists().then(|| Journal {
        conversion,
        run,
        stage: stage(&paths),
        data: seen.to_owned(),
        // The owner's choice is lost with the journal.
        ends: OriginalEnds::Never,
        since: changed(&paths.original),
        boot: String::new(),
    })
}

fn stage(paths: &RunPaths) -> Stage {
    if paths.original.join(BEING_DESTROYED).exists() {
        return Stage::Destroying;
    }
    // MariaDB may have worked in a copy that is in its place.
    match paths.is_copy_home() {
        Ok(false) => Stage::Switching,
        _ => Stage::Starting,
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
