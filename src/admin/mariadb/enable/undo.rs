//! Goes back to the server as it was after a run that failed, was stopped or was
//! killed. Nothing that MariaDB may have written into is deleted.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::admin::durable::{sync_directory, write_durably};
use crate::admin::key_release;
use crate::admin::mariadb::check_file::mark;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{ROOM, Stopped, Target, compare_stopped};
use crate::admin::mariadb::data_directory::{DataDirectory, Door};
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::launch::unit_start_command;
use crate::admin::mariadb::overwrite::destroy as overwrite_all;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{SETTINGS_FILE, settings_file};
use crate::admin::mariadb_service::{self, CHECK_FILE};
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::release::no_start;
use crate::sys::{hangup, mount};

use super::copy_mounts::{CopyMounts, SCRATCH, key_files};
use super::start_prevention::{self, Cover};
use super::{dependent_units, orphans, other_files, say};
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};

/// `stayput mariadb let-go`: what the unit runs when the work has ended, for
/// whatever reason. Does nothing after a run that did all it should.
///
/// # Errors
/// When the original cannot be put back; says where everything is.
pub fn let_go() -> Result<()> {
    let Some(journal) = Journal::read().map_err(paths::problem)? else {
        return Ok(());
    };
    let paths = RunPaths::of_run(&journal);
    let undone = match journal.stage {
        Stage::Rehearsing => forget_rehearsal(&journal, &paths),
        Stage::Building | Stage::Switching => undo(&journal, &paths),
        Stage::TakingBack => go_back(&journal, &paths),
        Stage::Starting => settle(&journal, &paths),
        Stage::Waiting | Stage::Destroying => start_prevention::unmask_units(),
    };
    if undone.is_err() {
        // Whatever else went wrong, MariaDB's units must not stay masked.
        start_prevention::unmask_units()?;
    }
    undone
}

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
fn throw_copy_away(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let io = paths::problem;
    let Some(making) = MarkedRoom::find(&paths.making, journal.run).map_err(io)? else {
        return Ok(());
    };
    if journal.conversion == Conversion::Decrypt {
        overwrite_copy(&making);
    }
    making.delete().map_err(io)
}

/// Overwrites a clear copy. What cannot be overwritten is told, and stops nothing.
pub fn overwrite_copy(making: &MarkedRoom) {
    say("Overwriting the clear copy.");
    for tree in [making.data(), making.file(SCRATCH)] {
        match overwrite_all(&tree, &mut |_| ()) {
            Ok(report) => report.lines().iter().for_each(say),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => say(format!("{} was not overwritten: {error}.", tree.display())),
        }
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

/// Puts the original back at its own path, with the gate and the settings that it had.
fn restore_original(journal: &Journal, paths: &RunPaths) -> Result<()> {
    match journal.conversion {
        Conversion::Encrypt => restore_clear(journal, paths),
        Conversion::Decrypt => restore_encrypted(journal, paths),
    }
}

/// Puts the encrypted original behind the gate, which stands first: it lets nothing pass
/// until the check values are there again.
fn restore_encrypted(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let io = paths::problem;
    let data = &paths.data;
    gate_units::put_gate_in_front()?;
    if let Some(room) = MarkedRoom::find(&paths.original, journal.run).map_err(io)? {
        if room.data().exists() {
            room.hand_out(data.real()).map_err(io)?;
        }
        room.delete().map_err(io)?;
    }
    match data.door().map_err(io)? {
        // It was never moved.
        Door::Open | Door::Covered => {}
        door => {
            if door == Door::Foreign {
                clear_data_path(journal, data)?;
            }
            let user = ServiceUser::find()?;
            data.guard(user.uid, user.gid).map_err(io)?;
        }
    }
    write_durably(Path::new(SETTINGS_FILE), settings_file().as_bytes()).map_err(io)?;
    let check = mark(data.real(), data.seen()).ok_or_else(|| {
        Problem::failed(
            format!("{} lacks its check values.", data.real().display()),
            "Run `stayput mariadb enable`: it makes them anew where the vault has the keys.",
        )
    })?;
    write_durably(Path::new(CHECK_FILE), check.to_text().as_bytes()).map_err(io)
}

/// Puts the clear original where MariaDB looks, and removes the gate and the settings.
fn restore_clear(journal: &Journal, paths: &RunPaths) -> Result<()> {
    let io = paths::problem;
    let (data, run) = (&paths.data, journal.run);
    if let Some(room) = MarkedRoom::find(&paths.original, run).map_err(io)? {
        if room.data().exists() {
            data.close().map_err(io)?;
            clear_data_path(journal, data)?;
            room.hand_out(data.seen()).map_err(io)?;
        }
        room.delete().map_err(io)?;
    }
    for file in [CHECK_FILE, SETTINGS_FILE] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            _ => sync_directory(Path::new(file)).map_err(io)?,
        }
    }
    gate_units::take_gate_away()
}

/// Frees the path where MariaDB looks for its data. Files of somebody else there
/// are moved aside.
fn clear_data_path(journal: &Journal, data: &DataDirectory) -> Result<()> {
    let io = paths::problem;
    let seen = data.seen();
    match fs::symlink_metadata(seen) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        at => at.map_err(io)?,
    };
    let door = data.door().map_err(io)?;
    if door != Door::Missing {
        data.unguard().map_err(io)?;
    }
    if [Door::Foreign, Door::Missing].contains(&door) {
        let mut name = seen.file_name().unwrap_or_default().to_owned();
        name.push(format!(".before-{}", journal.run));
        let aside = seen.with_file_name(name);
        fs::rename(seen, &aside).map_err(io)?;
        say(format!(
            "{} held other files; they are in {}.",
            seen.display(),
            aside.display()
        ));
        return sync_directory(seen).map_err(io);
    }
    fs::remove_dir(seen).map_err(io)
}

fn end(conversion: Conversion) -> Result<()> {
    start_prevention::unmask_units()?;
    super::original::take_unit_away()?;
    Journal::clear().map_err(paths::problem)?;
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

/// Settles a run that ended after MariaDB may have been started with the copy.
fn settle(journal: &Journal, paths: &RunPaths) -> Result<()> {
    start_prevention::unmask_units()?;
    let conversion = journal.conversion;
    let home = paths.home_of_copy();
    if conversion == Conversion::Decrypt && no_start::is_forbidden() {
        return Err(Problem::refused(
            "The keys were taken out of memory: MariaDB is not to start.",
            "Bring them back (`stayput release`), then run the command again.",
        ));
    }
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
    let kept = aside(journal, paths);
    // Once it is there, what lies in its place is no copy of ours.
    if !kept.exists() && paths.is_copy_home().map_err(paths::problem)? {
        paths.data.close().map_err(paths::problem)?;
        let home = paths.home_of_copy();
        if copy == TheCopy::IsUnused && journal.conversion == Conversion::Decrypt {
            // Nobody needs it, and anybody could read it.
            let making = MarkedRoom::make(&paths.making, journal.run).map_err(paths::problem)?;
            making.take_in(home).map_err(paths::problem)?;
            throw_copy_away(journal, paths)?;
        } else {
            fs::rename(home, &kept).map_err(paths::problem)?;
            sync_directory(&kept).map_err(paths::problem)?;
            sync_directory(home).map_err(paths::problem)?;
        }
    }
    if kept.exists() {
        say(format!("The copy is kept in {}.", kept.display()));
        if journal.conversion == Conversion::Decrypt {
            say("Anybody can read it: destroy it when it is of no use any more.");
        }
    }
    other_files::tell_kept(paths.data.seen(), journal.since);
    restore_original(journal, paths)?;
    end(journal.conversion)
}

/// Where a copy goes that MariaDB may have written into.
fn aside(journal: &Journal, paths: &RunPaths) -> PathBuf {
    let name = format!("mariadb.taken-back.{}", journal.run);
    paths.data.real().with_file_name(name)
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
