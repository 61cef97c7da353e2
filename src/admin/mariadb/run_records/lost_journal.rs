//! A clear original whose journal is lost or damaged. Its room still carries
//! the run's mark, so the run can be taken up: from a stage that destroys
//! nothing and undoes nothing without comparing.

use std::fs;
use std::io;
use std::path::Path;

use crate::admin::mariadb::check_file::read_check_file;
use crate::admin::mariadb::data_directory::holds_something;

use super::journal::{Journal, OriginalEnds, Stage};
use super::marked_room::Marked;
use super::paths::Places;

/// In the room of an original that is no longer whole.
pub const BEING_DESTROYED: &str = "being-destroyed";

/// Where Debian's MariaDB has its data.
pub const USUAL: &str = "/var/lib/mysql";

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
    reconstruct(read, &Places::of(Path::new(data)))
}

/// What the journal says or, where there is none, the room of an original.
pub fn reconstruct(
    read: io::Result<Option<Journal>>,
    places: &Places,
) -> io::Result<Option<Journal>> {
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
    match holds_something(places.data.real()) {
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
