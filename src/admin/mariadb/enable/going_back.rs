//! Goes back to the original after MariaDB may have been started with the copy. Nothing
//! that it may have written into is deleted.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{ROOM, Stopped, Target, compare_stopped};
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::launch::unit_start_command;
use crate::admin::mariadb::occupants;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::run_records::put_aside;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::release::no_start;
use crate::sys::{clock, mount};

use super::copy_mounts::{SCRATCH, key_files};
use super::restore::restore_original;
use super::undo::{end, original_is_there, throw_copy_away};
use super::{dependent_units, other_files, say, start_prevention, unused_copy};

/// Settles a run that ended after MariaDB may have been started with the copy.
///
/// # Errors
/// When neither the copy nor the original serves; says where both are.
pub fn settle(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let conversion = journal.conversion;
    if conversion == Conversion::Decrypt && no_start::is_forbidden() {
        return settle_in_an_alarm(journal, paths);
    }
    start_prevention::unmask_units()?;
    let home = paths.home_of_copy();
    if serves_from(home).is_ok() || mariadb_service::start_mariadb().is_ok() {
        dependent_units::start();
        say(format!(
            "MariaDB runs from the {}. The {} is kept.",
            conversion.copy(),
            conversion.original()
        ));
        say(format!(
            "Run `{}` again: it goes on from here.",
            conversion.command()
        ));
        return Ok(());
    }
    if systemd::is_stopping() {
        say(format!(
            "This server is being switched off. Run `{}` again afterwards.",
            conversion.command()
        ));
        return Ok(());
    }
    say(format!(
        "MariaDB does not start with the {}. Comparing it with the original.",
        conversion.copy()
    ));
    // Before the units are masked: systemd does not tell it of a masked unit.
    let arguments = ServiceUser::find()
        .and_then(|user| unit_start_command(&user))
        .map(|started| started.arguments);
    start_prevention::mask_units()?;
    mariadb_service::stop_units()?;
    match arguments.and_then(|arguments| compare(journal, paths, &arguments)) {
        Ok(0) => {
            say("The copy has taken no writes.");
            return go_back_from(journal, paths, TheCopy::IsUnused);
        }
        Ok(_) => {}
        Err(problem) => say(format!("They cannot be compared: {}", problem.what)),
    }
    start_prevention::unmask_units()?;
    Err(Problem::failed(
        format!(
            "The {} in {} may hold rows that the original lacks. Nothing was undone; the \
             original is in {}.",
            conversion.copy(),
            home.display(),
            paths.original.display()
        ),
        format!(
            "`journalctl -u mariadb -n 50` shows why MariaDB does not start. Mend that and run \
             `{}` again, or go back with `{}`.",
            conversion.command(),
            conversion.undo_command()
        ),
    ))
}

/// A thief gets no clear database. A copy that MariaDB has worked in is kept, for it may
/// hold rows that the original lacks; the gate goes in front of it, and lets nothing pass.
fn settle_in_an_alarm(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let is_thrown_away = throw_unused_away(journal, paths);
    if matches!(is_thrown_away, Ok(true)) {
        return Ok(());
    }
    let closed = gate_units::put_gate_in_front();
    start_prevention::unmask_units()?;
    is_thrown_away.and(closed)?;
    Err(Problem::refused(
        format!(
            "The keys were taken out of memory: MariaDB is stopped. The clear copy in {} may hold \
             rows that the original lacks, so it is kept, and anybody with the disk can read it.",
            paths.home_of_copy().display()
        ),
        "Bring the keys back (`stayput release`), then run the command again.",
    ))
}

/// Overwrites a clear copy that lies where MariaDB looks, if MariaDB has never worked in
/// it, and goes back to the original. Returns whether it did. Else MariaDB is stopped, and
/// its units are masked.
///
/// # Errors
/// What stands in the way; it can be run again.
pub fn throw_unused_away(journal: &Journal, paths: &RunPaths) -> Result<bool> {
    // Else something could start it after the look.
    start_prevention::mask_units()?;
    mariadb_service::stop_units()?;
    let home = paths.home_of_copy();
    let is_unused = unused_copy::is_as_made(journal, paths)
        && occupants::of(home, &[]).is_ok_and(|found| found.is_empty());
    if !is_unused {
        return Ok(false);
    }
    say("MariaDB has not worked in the clear copy.");
    go_back_from(journal, paths, TheCopy::IsUnused).map(|()| true)
}

/// Goes back to the original, whatever the copy has taken since: the original
/// serves again, and the copy is kept. After an interruption it goes on.
///
/// # Errors
/// When there is nothing to go back to, or it cannot be put back.
pub fn go_back(journal: &Journal, paths: &RunPaths) -> Result<()> {
    go_back_from(journal, paths, TheCopy::MayHoldRows)
}

/// What is known of the copy that MariaDB was started with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TheCopy {
    MayHoldRows,
    /// It holds what the original holds.
    IsUnused,
}

fn go_back_from(journal: &Journal, paths: &RunPaths, copy: TheCopy) -> Result<()> {
    original_is_there(journal, paths)?;
    // From here on MariaDB acknowledges rows that the copy lacks.
    let mut noted = journal.clone();
    noted.reach(Stage::TakingBack).map_err(paths::problem)?;
    start_prevention::mask_units()?;
    dependent_units::note();
    mariadb_service::stop_units()?;
    throw_copy_away(journal, paths)?;
    if journal.conversion == Conversion::Decrypt {
        // While nothing lies where MariaDB looks, nothing makes an empty database there.
        gate_units::put_gate_in_front()?;
    }
    if copy == TheCopy::IsUnused && journal.conversion == Conversion::Decrypt {
        overwrite_in_its_place(journal, paths)?;
    } else if let Some(kept) = put_aside(journal, paths, clock::now()).map_err(paths::problem)? {
        say(format!("{} {}", kept.what(), kept.next()));
    }
    other_files::tell_kept(paths.data.seen(), journal.since);
    restore_original(journal, paths)?;
    end(journal.conversion)
}

/// Nobody needs the clear copy, and anybody could read it.
fn overwrite_in_its_place(journal: &Journal, paths: &RunPaths) -> Result<()> {
    if !paths.is_copy_home().map_err(paths::problem)? {
        return Ok(());
    }
    paths.data.close().map_err(paths::problem)?;
    let making = MarkedRoom::make(&paths.making, journal.run).map_err(paths::problem)?;
    let taken = making.take_in(paths.home_of_copy());
    taken.map_err(paths::problem)?;
    throw_copy_away(journal, paths)
}

/// Compares both through private servers, as before the switch, and returns the
/// number of differences.
fn compare(journal: &Journal, paths: &RunPaths, arguments: &[String]) -> Result<usize> {
    let io = paths::problem;
    let user = ServiceUser::find()?;
    let room = MarkedRoom::find(&paths.original, journal.run)
        .map_err(io)?
        .ok_or_else(|| io(ErrorKind::NotFound.into()))?;
    let scratch = room.file(SCRATCH);
    fs::create_dir_all(&scratch).map_err(io)?;
    let seen = ["old", "new", "scratch"].map(|name| Path::new(ROOM).join(name));
    let [old, new, temporary] = &seen;
    let pairs = [
        (&room.data(), old),
        (&paths.home_of_copy().to_owned(), new),
        (&scratch, temporary),
    ];
    for (from, to) in pairs {
        fs::create_dir_all(to).map_err(io)?;
        mount::bind(from, to).map_err(|errno| io(errno.into()))?;
    }
    let [old_keys, new_keys] = key_files(journal.conversion);
    let target = Target {
        data: new,
        scratch: temporary,
        key_file: new_keys,
    };
    let original = Stopped {
        data: old,
        key_file: old_keys,
    };
    let compared = compare_stopped(&user, arguments, &original, &target, &mut |line| say(line));
    for (_, to) in pairs {
        paths::end_mount(to).map_err(io)?;
    }
    compared
}
