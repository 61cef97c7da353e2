//! What `stayput reset` does to what runs have left: at once and without any proof,
//! because nobody shall read it. Failures are told and stop nothing.

use std::io;
use std::path::Path;

use crate::admin::child_work::ChildWork;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::lost_journal;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::run_records::{KeptCopy, kept_copies};
use crate::admin::mariadb_service::is_enabled;
use crate::admin::problem::Result;

use super::going_back::throw_away_or_close;
use super::original::{end, overwrite, tell_at_login};
use super::undo::{UNUSED, original_is_there, overwrite_beside_original, overwrite_copy};
use super::{say, unused_copy, worker};

/// What a reset does to the original and to copies, as a part of its announcement.
pub fn in_a_reset() -> String {
    let mut text = original_in_a_reset();
    match kept_copies() {
        Ok(copies) => {
            for copy in copies.iter().filter(|copy| copy.is_clear()) {
                let path = copy.path.display();
                text += &match copy.run {
                    Some(_) => format!("The clear copy of the database in {path} is destroyed.\n"),
                    None => format!("NOT DESTROYED: a clear copy of the database in {path}.\n"),
                };
            }
        }
        Err(error) => {
            text += &format!("NOT DESTROYED: perhaps a clear copy of the database ({error}).\n");
        }
    }
    text
}

fn original_in_a_reset() -> String {
    match lost_journal::read_or_reconstruct() {
        Ok(None) => String::new(),
        Ok(Some(journal)) => run_in_a_reset(&journal, &RunPaths::of_run(&journal)),
        Err(error) => format!("{}\n", not_known(&error)),
    }
}

fn run_in_a_reset(journal: &Journal, paths: &RunPaths) -> String {
    // It leaves nothing that can be read.
    if journal.stage == Stage::Rehearsing && is_enabled() {
        return String::new();
    }
    if journal.conversion == Conversion::Decrypt {
        return clear_copy_in_a_reset(journal, paths);
    }
    if journal.stage < Stage::Starting {
        return "The database itself is still in the clear (`stayput mariadb enable` was \
                interrupted), and stays.\n"
            .into();
    }
    match MarkedRoom::is_there(&paths.original, journal.run) {
        Ok(true) => {
            "The clear original of the database, which is still on this disk, is destroyed.\n"
                .into()
        }
        Ok(false) => format!("{}\n", not_there(&paths.original)),
        Err(error) => format!("{}\n", not_seen(&paths.original, &error)),
    }
}

fn not_known(error: &io::Error) -> String {
    format!("NOT DESTROYED: perhaps an original of the database, or a copy ({error}).")
}

/// Nobody can tell a room that is gone from one on a disk that is.
fn not_there(original: &Path) -> String {
    let at = original.display();
    format!("NOT DESTROYED: a clear original in {at}, which is not there. Is its disk mounted?")
}

fn not_seen(original: &Path, error: &io::Error) -> String {
    let at = original.display();
    format!("NOT DESTROYED: perhaps a clear original in {at} ({error}).")
}

fn clear_copy_in_a_reset(journal: &Journal, paths: &RunPaths) -> String {
    let mut text = String::new();
    let is_as_made = match journal.stage {
        Stage::Rehearsing | Stage::Building | Stage::Switching => true,
        Stage::TakingBack | Stage::Starting => unused_copy::is_as_made(journal, paths),
        Stage::Waiting | Stage::Destroying => false,
    };
    if is_as_made || lies_in_a_room(journal, paths) {
        text += "The clear copy of the database, which is being made, is destroyed.\n";
    }
    if !is_as_made && may_be_in_its_place(journal, paths) {
        if is_settled_by(journal) {
            text += "MariaDB, which is in the clear, is stopped, and does not start again.\n";
        }
        text += "NOT DESTROYED: the database itself, which its owner has taken into the clear.\n";
    }
    text
}

/// Whether a clear copy lies in a room in which an unused one is overwritten.
fn lies_in_a_room(journal: &Journal, paths: &RunPaths) -> bool {
    let lies_in = |room: &Path, name: &str| {
        MarkedRoom::owner(room) == Some(journal.run) && room.join(name).exists()
    };
    lies_in(&paths.making, "data") || lies_in(&paths.original, UNUSED)
}

/// Where it cannot be seen it may. A way back that was cut may have put it aside.
fn may_be_in_its_place(journal: &Journal, paths: &RunPaths) -> bool {
    journal.stage != Stage::TakingBack
        || paths.is_copy_home().unwrap_or(true)
        || original_is_there(journal, paths).is_err()
}

/// Whether the run has not come to its end: the clear MariaDB was not seen to serve, or
/// its owner wanted to go back.
fn is_settled_by(journal: &Journal) -> bool {
    matches!(journal.stage, Stage::TakingBack | Stage::Starting)
}

/// Destroys the clear original of an encrypted database, a clear copy that MariaDB has
/// not worked in, and clear copies that a way back has kept. It says what it does, may take
/// long, and on a disk that dies for ever.
pub const DESTROY_CLEAR: ChildWork<()> = ChildWork::new("destroy-clear", |_| destroy_for_reset());

fn destroy_for_reset() {
    if let Err(problem) = worker::end_decryption() {
        say(format!(
            "NOT ENDED: a run that makes the database clear. {}",
            problem.what
        ));
    }
    destroy_of_run();
    match kept_copies() {
        Ok(copies) => copies
            .iter()
            .filter(|copy| copy.is_clear())
            .for_each(destroy_kept),
        Err(error) => say(format!(
            "NOT DESTROYED: perhaps a clear copy of the database ({error})."
        )),
    }
    tell_at_login();
}

fn destroy_kept(copy: &KeptCopy) {
    let path = copy.path.display();
    let room = match copy.room() {
        Ok(Some(room)) => room,
        Ok(None) => {
            return say(format!(
                "NOT DESTROYED: a clear copy of the database in {path}. {}",
                copy.next()
            ));
        }
        Err(error) => {
            return say(format!(
                "NOT DESTROYED: a clear copy of the database in {path} ({error})."
            ));
        }
    };
    say(format!("Overwriting the clear copy in {path}."));
    let destroyed = overwrite(&room).and_then(|()| room.delete().map_err(paths::problem));
    if let Err(problem) = destroyed {
        say(format!("Not all of it was destroyed: {problem}"));
    }
}

fn destroy_of_run() {
    let mut journal = match lost_journal::read_or_reconstruct() {
        Ok(Some(journal)) => journal,
        Ok(None) => return,
        Err(error) => return say(not_known(&error)),
    };
    let paths = RunPaths::of_run(&journal);
    if journal.conversion == Conversion::Decrypt {
        return destroy_clear_copy(&journal, &paths);
    }
    let found = MarkedRoom::find(&paths.original, journal.run);
    if journal.stage < Stage::Starting {
        // The copy has no place yet: without the original there is nothing.
        match found {
            Ok(Some(room)) => say(format!(
                "{} stays: it is the only copy that can be started.",
                room.data().display()
            )),
            // It has not come there yet, or is back in its own place.
            Ok(None) => {}
            Err(error) => say(not_seen(&paths.original, &error)),
        }
        return;
    }
    let room = match found {
        Ok(Some(room)) => room,
        Ok(None) => return say(not_there(&paths.original)),
        Err(error) => return say(not_seen(&paths.original, &error)),
    };
    say("Overwriting the clear original of the database.");
    // From here on there is no way back.
    let note = || journal.reach(Stage::Destroying).map_err(paths::problem);
    let destroyed = noted_around(note, || overwrite(&room))
        .and_then(|()| room.delete().map_err(paths::problem))
        .and_then(|()| end());
    if let Err(problem) = destroyed {
        say(format!("Not all of it was destroyed: {problem}"));
    }
}

/// Notes what is done before it is done; on a full disk afterwards, when there is room.
fn noted_around(
    mut note: impl FnMut() -> Result<()>,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut noted = note();
    if let Err(problem) = &noted {
        say(format!("It could not be noted before: {}", problem.what));
    }
    let worked = work();
    if noted.is_err() {
        noted = note();
    }
    worked.and(noted)
}

/// Destroys a clear copy that MariaDB has not worked in: the encrypted original is worth
/// nothing without its keys. One that MariaDB works in stays, and that is told.
fn destroy_clear_copy(journal: &Journal, paths: &RunPaths) {
    overwrite_in_rooms(journal, paths);
    if is_settled_by(journal) {
        match throw_away_or_close(journal, paths) {
            Ok(true) => return,
            Ok(false) => say("MariaDB is stopped, and the gate is in front of it."),
            Err(problem) => say(problem.what),
        }
    }
    if journal.stage >= Stage::TakingBack && may_be_in_its_place(journal, paths) {
        say(format!(
            "NOT DESTROYED: the database itself in {}, which is in the clear.",
            paths.home_of_copy().display()
        ));
    }
}

/// Overwrites a clear copy that lies in a room of the run: MariaDB does not work there.
fn overwrite_in_rooms(journal: &Journal, paths: &RunPaths) {
    let not_destroyed = |at: &Path, error: &io::Error| {
        say(format!(
            "NOT DESTROYED: a clear copy of the database in {} ({error}).",
            at.display()
        ));
    };
    if let Err(error) = overwrite_beside_original(journal, paths) {
        not_destroyed(&paths.original, &error);
    }
    match MarkedRoom::find(&paths.making, journal.run) {
        Ok(None) => {}
        Ok(Some(making)) => {
            // A run that was cut in the middle may have put it where MariaDB looks.
            let is_unused = journal.stage < Stage::TakingBack;
            let is_taken = is_unused && !making.data().exists();
            if is_taken
                && paths.is_copy_home().unwrap_or(true)
                && let Err(error) = making.take_in(paths.home_of_copy())
            {
                not_destroyed(paths.home_of_copy(), &error);
            }
            overwrite_copy(&making);
        }
        Err(error) => not_destroyed(&paths.making, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Problem;
    use std::fs;

    /// A run to the clear; the encrypted original lies in its room.
    fn run(home: &Path, stage: Stage) -> (Journal, RunPaths) {
        let paths = RunPaths::of(&home.join("mysql"), Conversion::Decrypt);
        let journal = Journal {
            since: 1,
            ..Journal::example(Conversion::Decrypt, stage, home.join("mysql"))
        };
        paths.make_root().unwrap();
        let room = MarkedRoom::make(&paths.original, journal.run).unwrap();
        fs::create_dir(room.data()).unwrap();
        (journal, paths)
    }

    fn put_copy(at: &Path) {
        fs::create_dir_all(at).unwrap();
        fs::write(at.join("ibdata1"), "row").unwrap();
    }

    #[test]
    fn copy_whose_overwriting_was_cut_is_overwritten_in_a_reset() {
        for stage in [Stage::Building, Stage::TakingBack, Stage::Starting] {
            let home = tempfile::tempdir().unwrap();
            let (journal, paths) = run(home.path(), stage);
            let making = MarkedRoom::make(&paths.making, journal.run).unwrap();
            put_copy(&making.data());
            let told = clear_copy_in_a_reset(&journal, &paths);
            assert!(told.contains("is destroyed"), "{stage:?}: {told}");
            let is_kept = told.contains("NOT DESTROYED");
            assert_eq!(is_kept, stage == Stage::Starting, "{told}");
            overwrite_in_rooms(&journal, &paths);
            assert!(!making.data().exists(), "{stage:?}");
        }
    }

    #[test]
    fn copy_that_may_hold_rows_stays_in_a_reset_and_is_told() {
        for stage in [Stage::TakingBack, Stage::Starting] {
            let home = tempfile::tempdir().unwrap();
            let (mut journal, paths) = run(home.path(), stage);
            put_copy(paths.home_of_copy());
            // A cut just after the note leaves the room, which was not yet taken away.
            MarkedRoom::make(&paths.making, journal.run).unwrap();
            let told = clear_copy_in_a_reset(&journal, &paths);
            assert!(told.contains("is stopped"), "{told}");
            assert!(told.contains("NOT DESTROYED"), "{told}");
            assert!(!told.contains("is destroyed"), "{told}");
            overwrite_in_rooms(&journal, &paths);
            assert!(paths.home_of_copy().join("ibdata1").exists());
            // In the boot in which it was made it is known to be unused.
            unused_copy::note(&journal, &paths).unwrap();
            let told = clear_copy_in_a_reset(&journal, &paths);
            assert!(!told.contains("NOT DESTROYED"), "{told}");
            journal.stage = Stage::Waiting;
            let told = clear_copy_in_a_reset(&journal, &paths);
            assert!(!told.contains("is stopped"), "{told}");
            assert!(told.contains("NOT DESTROYED"), "{told}");
        }
    }

    #[test]
    fn what_a_reset_cannot_find_is_not_called_destroyed() {
        let home = tempfile::tempdir().unwrap();
        let paths = RunPaths::of(&home.path().join("mysql"), Conversion::Encrypt);
        let mut journal = Journal {
            conversion: Conversion::Encrypt,
            ..run(home.path(), Stage::Waiting).0
        };
        let told = |journal: &Journal| run_in_a_reset(journal, &paths);
        let absent = told(&journal);
        assert!(
            absent.contains("NOT DESTROYED: a clear original"),
            "{absent}"
        );
        assert!(absent.contains("which is not there"), "{absent}");
        // A room of another run, or of nobody.
        fs::create_dir_all(&paths.original).unwrap();
        let unknown = told(&journal);
        assert!(unknown.contains("NOT DESTROYED: perhaps"), "{unknown}");
        assert!(!unknown.contains("not there"), "{unknown}");
        fs::remove_dir(&paths.original).unwrap();
        MarkedRoom::make(&paths.original, journal.run).unwrap();
        assert!(told(&journal).ends_with("is destroyed.\n"));
        // The database itself lies there, or where MariaDB looks.
        journal.stage = Stage::Switching;
        assert!(told(&journal).ends_with("and stays.\n"));
    }

    #[test]
    fn full_disk_keeps_no_reset_from_overwriting() {
        let mut tries = 0;
        let mut is_overwritten = false;
        let note = || {
            tries += 1;
            match tries {
                1 => Err(Problem::failed("No space left on device", "")),
                _ => Ok(()),
            }
        };
        let work = || {
            is_overwritten = true;
            Ok(())
        };
        noted_around(note, work).unwrap();
        assert!(is_overwritten);
        assert_eq!(tries, 2);
    }
}
