//! What `stayput reset` does to what runs have left: at once and without any proof,
//! because nobody shall read it. Failures are told and stop nothing.

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::lost_journal;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::run_records::{KeptCopy, kept_copies};
use crate::admin::mariadb_service::is_enabled;

use super::going_back::throw_unused_away;
use super::original::{end, overwrite, tell_at_login};
use super::undo::overwrite_copy;
use super::{say, unused_copy, worker};

/// What a reset does to the original and to copies, as a part of its announcement.
pub fn in_a_reset() -> String {
    let mut text = String::from(original_in_a_reset());
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

fn original_in_a_reset() -> &'static str {
    let made = "The clear copy of the database, which is being made, is destroyed.\n";
    match lost_journal::read_or_reconstruct() {
        Ok(None) => "",
        // It leaves nothing that can be read.
        Ok(Some(journal)) if journal.stage == Stage::Rehearsing && is_enabled() => "",
        Ok(Some(journal)) if journal.conversion == Conversion::Decrypt => match journal.stage {
            Stage::Rehearsing | Stage::Building | Stage::Switching => made,
            Stage::Starting if unused_copy::is_as_made(&journal, &RunPaths::of_run(&journal)) => {
                made
            }
            _ => "NOT DESTROYED: the database itself, which its owner has taken into the clear.\n",
        },
        Ok(Some(journal)) if journal.stage < Stage::Starting => {
            "The database itself is still in the clear (`stayput mariadb enable` was interrupted), \
             and stays.\n"
        }
        _ => "The clear original of the database, which is still on this disk, is destroyed.\n",
    }
}

/// Destroys the clear original of an encrypted database, a clear copy that MariaDB has
/// not worked in, and clear copies that a way back has kept.
pub fn destroy_for_reset() {
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
        Err(error) => {
            return say(format!(
                "NOT DESTROYED: perhaps an original of the database, or a copy ({error})."
            ));
        }
    };
    let paths = RunPaths::of_run(&journal);
    if journal.conversion == Conversion::Decrypt {
        return destroy_clear_copy(&journal, &paths);
    }
    let Ok(Some(room)) = MarkedRoom::find(&paths.original, journal.run) else {
        if journal.stage > Stage::Building {
            say(format!(
                "NOT DESTROYED: a clear original in {}, which is not there. Is its disk mounted?",
                paths.original.display()
            ));
        }
        return;
    };
    if journal.stage < Stage::Starting {
        // The copy has no place yet: without the original there is nothing.
        say(format!(
            "{} stays: it is the only copy that can be started.",
            room.data().display()
        ));
        return;
    }
    say("Overwriting the clear original of the database.");
    // From here on there is no way back.
    let destroyed = journal
        .reach(Stage::Destroying)
        .map_err(paths::problem)
        .and_then(|()| overwrite(&room))
        .and_then(|()| room.delete().map_err(paths::problem))
        .and_then(|()| end());
    if let Err(problem) = destroyed {
        say(format!("Not all of it was destroyed: {problem}"));
    }
}

/// Destroys a clear copy that MariaDB has not worked in: the encrypted original is worth
/// nothing without its keys. One that MariaDB works in stays, and that is told.
fn destroy_clear_copy(journal: &Journal, paths: &RunPaths) {
    if journal.stage == Stage::Starting {
        match throw_unused_away(journal, paths) {
            Ok(true) => return,
            Ok(false) => {}
            Err(problem) => say(problem.what),
        }
    }
    if journal.stage >= Stage::TakingBack {
        return say(format!(
            "NOT DESTROYED: the database itself in {}, which is in the clear.",
            paths.home_of_copy().display()
        ));
    }
    match MarkedRoom::find(&paths.making, journal.run) {
        Ok(None) => {}
        Ok(Some(making)) => {
            // A run that was cut in the middle may have put it where MariaDB looks.
            let taken = match making.data().exists() || !paths.is_copy_home().unwrap_or(true) {
                true => Ok(()),
                false => making.take_in(paths.home_of_copy()),
            };
            if let Err(error) = taken {
                say(format!(
                    "NOT DESTROYED: a clear copy of the database in {} ({error}).",
                    paths.home_of_copy().display()
                ));
            }
            overwrite_copy(&making);
        }
        Err(error) => say(format!(
            "NOT DESTROYED: a clear copy of the database in {} ({error}).",
            paths.making.display()
        )),
    }
}
