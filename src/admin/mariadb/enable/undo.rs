//! Goes back to the server as it was after a run whose copy MariaDB has never been
//! started with: the copy is thrown away.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::admin::key_release;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::overwrite::destroy as overwrite_all;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::release::no_start;
use crate::sys::hangup;

use super::copy_mounts::{CopyMounts, SCRATCH};
use super::restore::restore_original;
use super::start_prevention::{self, Cover};
use super::{dependent_units, original, orphans, say};

/// Undoes a run whose copy MariaDB has never been started with.
///
/// # Errors
/// What the filesystem or systemd says; it can be run again.
pub fn undo(journal: &Journal, paths: &RunPaths) -> Result<()> {
    say("Going back to the server as it was.");
    // Half undone, MariaDB would stay down.
    let _ = hangup::outlive();
    let io = paths::problem;
    orphans::end()?;
    CopyMounts::end().map_err(io)?;
    let home = paths.home_of_original();
    Cover::of(home).take_away().map_err(io)?;
    original_is_there(journal, paths)?;
    if journal.stage == Stage::Switching {
        return_copy(journal, paths).map_err(io)?;
    }
    let restored = restore_original(journal, paths);
    throw_copy_away(journal, paths)?;
    if restored.is_err() {
        // A full disk has room for it without the copy.
        restore_original(journal, paths)?;
    }
    end(journal.conversion)
}

/// Deletes a copy that has no place. A clear one of an encrypted database is overwritten:
/// nobody is to read later what was never to be clear.
///
/// # Errors
/// What the filesystem says.
pub fn throw_copy_away(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let io = paths::problem;
    if journal.conversion == Conversion::Decrypt {
        overwrite_beside_original(journal, paths).map_err(io)?;
    }
    let Some(making) = MarkedRoom::find(&paths.making, journal.run).map_err(io)? else {
        return Ok(());
    };
    if journal.conversion == Conversion::Decrypt {
        overwrite_copy(&making);
    }
    making.delete().map_err(io)
}

/// In the room of the original: an unused clear copy. A full disk lets no other room be
/// made for it.
pub const UNUSED: &str = "unused-copy";

/// Overwrites what an interruption has left of such a copy.
///
/// # Errors
/// What the filesystem says of the room.
pub fn overwrite_beside_original(journal: &Journal, paths: &RunPaths) -> io::Result<()> {
    let room = MarkedRoom::find(&paths.original, journal.run)?;
    let tree = room.map(|room| room.file(UNUSED));
    if let Some(tree) = tree.filter(|tree| tree.exists()) {
        say("Overwriting the clear copy.");
        overwrite_tree(&tree);
    }
    Ok(())
}

/// Overwrites a clear copy. What cannot be overwritten is told, and stops nothing.
pub fn overwrite_copy(making: &MarkedRoom) {
    say("Overwriting the clear copy.");
    for tree in [making.data(), making.file(SCRATCH)] {
        overwrite_tree(&tree);
    }
}

fn overwrite_tree(tree: &Path) {
    match overwrite_all(tree, &mut |_| ()) {
        Ok(report) => report.lines().iter().for_each(say),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => say(format!("{} was not overwritten: {error}.", tree.display())),
    }
}

/// Moves the copy back into the room in which it was made, and notes that. After
/// it nothing goes on with this copy, and MariaDB may work in the original again.
fn return_copy(journal: &Journal, paths: &RunPaths) -> io::Result<()> {
    let making = MarkedRoom::find(&paths.making, journal.run)?;
    if let Some(making) = &making
        && !making.data().exists()
        && paths.is_copy_home()?
    {
        making.take_in(paths.home_of_copy())?;
    }
    let mut journal = journal.clone();
    match (journal.reach(Stage::Building), making) {
        // On a full disk the journal has room only without the copy.
        (Err(_), Some(making)) => {
            if journal.conversion == Conversion::Decrypt {
                overwrite_copy(&making);
            }
            making.delete()?;
            journal.write()
        }
        (noted, _) => noted,
    }
}

/// Checks that the original is in its room or at its own path. Where it is
/// in neither, its disk may not be mounted, and nothing may be concluded.
///
/// # Errors
/// When it cannot be found.
pub fn original_is_there(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let io = paths::problem;
    let room = MarkedRoom::find(&paths.original, journal.run).map_err(io)?;
    let closed = room.is_some_and(|room| room.data().exists());
    if closed || paths.is_original_home().map_err(io)? {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "The {} is neither in {} nor in {}. Nothing was undone.",
            journal.conversion.original(),
            paths.original.display(),
            paths.home_of_original().display()
        ),
        "Is its disk mounted? Mount it, then run the command again.",
    ))
}

/// Deletes what a rehearsal has made.
///
/// # Errors
/// What the filesystem says.
pub fn forget_rehearsal(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let io = paths::problem;
    orphans::end()?;
    CopyMounts::end().map_err(io)?;
    if let Some(making) = MarkedRoom::find(&paths.making, journal.run).map_err(io)? {
        making.delete().map_err(io)?;
    }
    Journal::clear().map_err(io)?;
    paths::leave_room().map_err(io)?;
    // remove_dir takes an empty directory only: the first run made it.
    if let Some(root) = paths.making.parent() {
        let _ = fs::remove_dir(root);
    }
    Ok(())
}

/// Ends a run whose original is back in its place, and starts MariaDB, unless an alarm has
/// taken its keys.
///
/// # Errors
/// What the filesystem or systemd says; also when MariaDB does not start.
pub fn end(conversion: Conversion) -> Result<()> {
    start_prevention::unmask_units()?;
    original::take_unit_away()?;
    Journal::clear().map_err(paths::problem)?;
    original::tell_at_login();
    if conversion == Conversion::Decrypt && no_start::is_forbidden() {
        say("The database is encrypted as before. It starts after: stayput release");
        return paths::leave_room().map_err(paths::problem);
    }
    let started = mariadb_service::start_mariadb();
    if started.is_ok() {
        dependent_units::start();
    }
    paths::leave_room().map_err(paths::problem)?;
    started?;
    match conversion {
        Conversion::Encrypt => say("MariaDB runs as it did before, not encrypted."),
        Conversion::Decrypt => {
            key_release::remove_if_read()?;
            say("MariaDB runs as it did before, encrypted.");
        }
    }
    Ok(())
}
