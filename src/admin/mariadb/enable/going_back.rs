//! Goes back to the original after MariaDB may have been started with the copy. Nothing
//! that it may have written into is deleted.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::admin::durable::sync_directory;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{NewTables, ROOM, Stopped, Target, compare_stopped};
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
use super::stopping::stop_masked;
use super::undo::{UNUSED, end, original_is_there, overwrite_beside_original, throw_copy_away};
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
    stop_masked(&paths.data)?;
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
    if throw_away_or_close(journal, paths)? {
        return Ok(());
    }
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
/// the gate is in front of it, which lets nothing pass.
///
/// # Errors
/// What stands in the way; it can be run again.
pub fn throw_away_or_close(journal: &Journal, paths: &RunPaths) -> Result<bool> {
    let is_thrown_away = throw_unused_away(journal, paths);
    close_what_is_kept(
        is_thrown_away,
        gate_units::put_gate_in_front,
        start_prevention::unmask_units,
    )
}

/// A mask ends with this boot, and the gate does not. Whatever went wrong, MariaDB's units
/// must not stay masked.
fn close_what_is_kept(
    is_thrown_away: Result<bool>,
    put_gate: impl FnOnce() -> Result<()>,
    unmask: impl FnOnce() -> Result<()>,
) -> Result<bool> {
    if matches!(is_thrown_away, Ok(true)) {
        return is_thrown_away;
    }
    let closed = put_gate();
    let unmasked = unmask();
    let is_thrown_away = is_thrown_away?;
    closed.and(unmasked).map(|()| is_thrown_away)
}

fn throw_unused_away(journal: &Journal, paths: &RunPaths) -> Result<bool> {
    // Else something could start it after the look.
    start_prevention::mask_units()?;
    stop_masked(&paths.data)?;
    if !is_unused(journal, paths) {
        return Ok(false);
    }
    say("MariaDB has not worked in the clear copy.");
    go_back_from(journal, paths, TheCopy::IsUnused).map(|()| true)
}

/// Whether a clear copy that lies where MariaDB looks is provably unused. MariaDB is
/// stopped, and its units are masked.
fn is_unused(journal: &Journal, paths: &RunPaths) -> bool {
    journal.conversion == Conversion::Decrypt
        && unused_copy::is_as_made(journal, paths)
        && occupants::of(paths.home_of_copy(), &[]).is_ok_and(|found| found.is_empty())
}

/// Goes back to the original, whatever the copy has taken since: the original
/// serves again, and the copy is kept, unless it is a clear one that is provably unused.
/// After an interruption it goes on.
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
    if let Err(error) = noted.reach(Stage::TakingBack) {
        if journal.conversion != Conversion::Decrypt || copy != TheCopy::IsUnused {
            return Err(paths::problem(error));
        }
        // On a full disk the journal has room only without the copy.
        say(format!("The way back could not be noted before: {error}."));
        overwrite_without_room(journal, paths).map_err(paths::problem)?;
        noted.reach(Stage::TakingBack).map_err(paths::problem)?;
    }
    start_prevention::mask_units()?;
    dependent_units::note();
    stop_masked(&paths.data)?;
    throw_copy_away(journal, paths)?;
    if journal.conversion == Conversion::Decrypt {
        // While nothing lies where MariaDB looks, nothing makes an empty database there.
        gate_units::put_gate_in_front()?;
    }
    let is_compared = copy == TheCopy::IsUnused && journal.conversion == Conversion::Decrypt;
    // An earlier try may have come no further than its note.
    if is_compared || is_unused(journal, paths) {
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

/// Moves an unused clear copy into the room of the original, which has the run's mark
/// already, and overwrites it there.
fn overwrite_without_room(journal: &Journal, paths: &RunPaths) -> io::Result<()> {
    let room = MarkedRoom::find(&paths.original, journal.run)?;
    let at = room.ok_or(ErrorKind::NotFound)?.file(UNUSED);
    if !at.exists() && paths.is_copy_home()? {
        let home = paths.home_of_copy();
        fs::rename(home, &at)?;
        sync_directory(&at)?;
        sync_directory(home)?;
    }
    overwrite_beside_original(journal, paths)
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
        new_tables: NewTables::OnTheFirstKey,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn what_is_not_thrown_away_gets_the_gate_and_no_mask() {
        let failed = || Err(Problem::failed("full", ""));
        let close = |is_thrown_away, put_gate: Result<()>| {
            let done = RefCell::new(Vec::new());
            let put_gate = || {
                done.borrow_mut().push("gate");
                put_gate
            };
            let unmask = || {
                done.borrow_mut().push("unmask");
                Ok(())
            };
            let said = close_what_is_kept(is_thrown_away, put_gate, unmask);
            (said.ok(), done.into_inner())
        };
        let both = vec!["gate", "unmask"];
        assert_eq!(close(Ok(true), Ok(())), (Some(true), vec![]));
        assert_eq!(close(Ok(false), Ok(())), (Some(false), both.clone()));
        assert_eq!(close(failed(), Ok(())), (None, both.clone()));
        let no_gate = Err(Problem::failed("full", ""));
        assert_eq!(close(Ok(false), no_gate), (None, both));
    }

    #[test]
    fn unused_copy_goes_without_room_for_a_room() {
        let home = tempfile::tempdir().unwrap();
        let paths = RunPaths::of(&home.path().join("mysql"), Conversion::Decrypt);
        let journal = Journal::example(
            Conversion::Decrypt,
            Stage::Starting,
            home.path().join("mysql"),
        );
        let copy = paths.home_of_copy();
        fs::create_dir_all(copy.join("clinic")).unwrap();
        fs::write(copy.join("clinic/a.ibd"), "row").unwrap();
        // Where nothing has the mark, nothing is touched.
        paths.make_root().unwrap();
        assert!(overwrite_without_room(&journal, &paths).is_err());
        let room = MarkedRoom::make(&paths.original, journal.run).unwrap();
        fs::create_dir(room.data()).unwrap();
        fs::write(room.data().join("ibdata1"), "original").unwrap();
        assert!(copy.join("clinic/a.ibd").exists());
        overwrite_without_room(&journal, &paths).unwrap();
        assert!(!copy.exists() && !room.file(UNUSED).exists());
        // What a power cut has left of it goes with the next way back.
        fs::create_dir(room.file(UNUSED)).unwrap();
        fs::write(room.file(UNUSED).join("a.ibd"), "row").unwrap();
        throw_copy_away(&journal, &paths).unwrap();
        assert!(!room.file(UNUSED).exists());
        assert!(room.data().join("ibdata1").exists());
    }
}
