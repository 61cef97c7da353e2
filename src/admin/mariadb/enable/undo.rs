//! Back to the clear server, after a run that failed, was stopped or was
//! killed. Nothing that MariaDB may have written into is deleted.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::admin::durable::sync_directory;
use crate::admin::mariadb::copying::{ROOM, Target, compare_stopped};
use crate::admin::mariadb::data_directory::{DataDirectory, Door};
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::launch::started_by_the_unit;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{KEY_FILE, SETTINGS_FILE};
use crate::admin::mariadb_service::{self, CHECK_FILE};
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::sys::{hangup, mount};

use super::copy_mounts::Making;
use super::start_prevention::{self, Cover};
use super::{dependent_units, other_files, say};
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::marked_room::Marked;
use crate::admin::mariadb::run_records::paths::{self, Places};

/// `stayput mariadb let-go`: what the unit runs when the work has ended, for
/// whatever reason. Does nothing after a run that did all it should.
///
/// # Errors
/// When the clear server cannot be put back; says where everything is.
pub fn let_go() -> Result<()> {
    let Some(journal) = Journal::read().map_err(paths::problem)? else {
        return Ok(());
    };
    let places = Places::of(&journal.data);
    let undone = match journal.stage {
        Stage::Rehearsing => forget_rehearsal(&journal, &places),
        Stage::Building | Stage::Switching => undo(&journal, &places),
        Stage::TakingBack => go_back(&journal, &places),
        Stage::Starting => settle(&journal, &places),
        Stage::Waiting | Stage::Destroying => start_prevention::let_units_go(),
    };
    if undone.is_err() {
        // Whatever else went wrong: what holds MariaDB back must not stay.
        start_prevention::let_units_go()?;
    }
    undone
}

/// Undoes a run whose copy MariaDB has never been started with.
///
/// # Errors
/// What the filesystem or systemd says; it can be run again.
pub fn undo(journal: &Journal, places: &Places) -> Result<()> {
    say("Going back to the server as it was.");
    // In a terminal or in a unit: half undone, MariaDB would stay down.
    let _ = hangup::outlive();
    let io = paths::problem;
    Making::end().map_err(io)?;
    Cover::of(places.data.seen()).take_away().map_err(io)?;
    original_is_there(journal, places)?;
    if journal.stage == Stage::Switching {
        unswitch(journal, places).map_err(io)?;
    }
    put_original_back(journal, places)?;
    if let Some(making) = Marked::find(&places.making, journal.run).map_err(io)? {
        making.delete().map_err(io)?;
    }
    end_clear()
}

/// Takes the copy back into the room in which it was made, and notes it:
/// before MariaDB works in the original again, nothing may go on with the copy
/// as it is.
fn unswitch(journal: &Journal, places: &Places) -> io::Result<()> {
    let making = Marked::find(&places.making, journal.run)?;
    if let Some(making) = &making
        && !making.data().exists()
        && places.data.real().exists()
    {
        making.take_in(places.data.real())?;
    }
    let mut journal = journal.clone();
    match (journal.reach(Stage::Building), making) {
        // On a full disk there is room only without the copy.
        (Err(_), Some(making)) => {
            making.delete()?;
            journal.write()
        }
        (noted, _) => noted,
    }
}

/// The clear original lies closed in its room, or in its own place. Where it
/// is in neither, its disk may not be mounted: nothing may be concluded from
/// that.
///
/// # Errors
/// When it cannot be found.
pub fn original_is_there(journal: &Journal, places: &Places) -> Result<()> {
    let io = paths::problem;
    let room = Marked::find(&places.original, journal.run).map_err(io)?;
    let closed = room.is_some_and(|room| room.data().exists());
    if closed || places.data.door().map_err(io)? == Door::Foreign {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "The clear original is neither in {} nor in {}. Nothing was undone.",
            places.original.display(),
            places.data.seen().display()
        ),
        "Is its disk mounted? Mount it, then run the command again.",
    ))
}

/// Throws away what a rehearsal has made.
///
/// # Errors
/// What the filesystem says.
pub fn forget_rehearsal(journal: &Journal, places: &Places) -> Result<()> {
    let io = paths::problem;
    Making::end().map_err(io)?;
    if let Some(making) = Marked::find(&places.making, journal.run).map_err(io)? {
        making.delete().map_err(io)?;
    }
    Journal::clear().map_err(io)?;
    paths::leave_room().map_err(io)?;
    // remove_dir takes an empty directory only: the first run made it.
    if let Some(root) = places.making.parent() {
        let _ = fs::remove_dir(root);
    }
    Ok(())
}

/// The original in its own place again, the gate and its settings gone.
fn put_original_back(journal: &Journal, places: &Places) -> Result<()> {
    let io = paths::problem;
    let (data, run) = (&places.data, journal.run);
    if let Some(room) = Marked::find(&places.original, run).map_err(io)? {
        if room.data().exists() {
            data.close().map_err(io)?;
            clear_place(journal, data)?;
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

/// The place where MariaDB looks is free. What somebody else has put there is
/// moved aside.
fn clear_place(journal: &Journal, data: &DataDirectory) -> Result<()> {
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

fn end_clear() -> Result<()> {
    start_prevention::let_units_go()?;
    super::original::take_unit_away()?;
    Journal::clear().map_err(paths::problem)?;
    let started = mariadb_service::start_mariadb();
    if started.is_ok() {
        dependent_units::start();
    }
    paths::leave_room().map_err(paths::problem)?;
    started?;
    say("MariaDB runs as it did before, not encrypted.");
    Ok(())
}

/// A run that ended after MariaDB may have been started with the copy.
fn settle(journal: &Journal, places: &Places) -> Result<()> {
    start_prevention::let_units_go()?;
    if serves_from(places.data.real()).is_ok() || mariadb_service::start_mariadb().is_ok() {
        dependent_units::start();
        say("MariaDB runs from the encrypted copy. The clear original is kept.");
        say("Run `stayput mariadb enable` again: it goes on from here.");
        return Ok(());
    }
    if systemd::is_stopping() {
        say("This server is being switched off. Run `stayput mariadb enable` again afterwards.");
        return Ok(());
    }
    say("MariaDB does not start with the encrypted copy. Comparing it with the original.");
    // Before they are masked: then systemd does not tell any more.
    let words = ServiceUser::find()
        .and_then(|user| started_by_the_unit(&user))
        .map(|started| started.words);
    start_prevention::units()?;
    mariadb_service::stop_units()?;
    match words.and_then(|words| compare(journal, places, &words)) {
        Ok(0) => {
            say("The copy has taken no writes.");
            return go_back(journal, places);
        }
        Ok(_) => {}
        Err(problem) => say(format!("They cannot be compared: {}", problem.what)),
    }
    start_prevention::let_units_go()?;
    Err(Problem::failed(
        format!(
            "The encrypted copy in {} may hold rows that the original lacks. Nothing was undone; \
             the original is in {}.",
            places.data.real().display(),
            places.original.display()
        ),
        "`journalctl -u mariadb -n 50` shows why MariaDB does not start. Mend that and run \
         `stayput mariadb enable` again, or go back with `stayput mariadb enable --undo`.",
    ))
}

/// Back to the original, whatever the copy has taken since: the original
/// serves again, and the copy is kept. Goes on where it was interrupted.
///
/// # Errors
/// When there is nothing to go back to, or it cannot be put back.
pub fn go_back(journal: &Journal, places: &Places) -> Result<()> {
    original_is_there(journal, places)?;
    // From here on the copy has not every row that MariaDB acknowledges.
    let mut noted = journal.clone();
    noted.reach(Stage::TakingBack).map_err(paths::problem)?;
    start_prevention::units()?;
    dependent_units::note();
    mariadb_service::stop_units()?;
    if let Some(making) = Marked::find(&places.making, journal.run).map_err(paths::problem)? {
        making.delete().map_err(paths::problem)?;
    }
    let kept = aside(journal, places);
    if places.data.real().exists() {
        places.data.close().map_err(paths::problem)?;
        fs::rename(places.data.real(), &kept).map_err(paths::problem)?;
        sync_directory(&kept).map_err(paths::problem)?;
    }
    say(format!("The copy is kept in {}.", kept.display()));
    other_files::tell_kept(places.data.seen(), journal.since);
    put_original_back(journal, places)?;
    end_clear()
}

/// Where a copy goes that MariaDB may have written into.
fn aside(journal: &Journal, places: &Places) -> PathBuf {
    let name = format!("mariadb.taken-back.{}", journal.run);
    places.data.real().with_file_name(name)
}

/// Compares both through private servers, as before the switch: the number of
/// things that are not the same.
fn compare(journal: &Journal, places: &Places, words: &[String]) -> Result<usize> {
    let io = paths::problem;
    let user = ServiceUser::find()?;
    let original = Marked::find(&places.original, journal.run)
        .map_err(io)?
        .ok_or_else(|| io(ErrorKind::NotFound.into()))?;
    let scratch = original.file("scratch");
    fs::create_dir_all(&scratch).map_err(io)?;
    let seen = ["old", "new", "scratch"].map(|name| Path::new(ROOM).join(name));
    let [old, new, temporary] = &seen;
    let pairs = [
        (&original.data(), old),
        (&places.data.real().to_owned(), new),
        (&scratch, temporary),
    ];
    for (from, to) in pairs {
        fs::create_dir_all(to).map_err(io)?;
        mount::bind(from, to).map_err(|errno| io(errno.into()))?;
    }
    let target = Target {
        data: new,
        scratch: temporary,
        key_file: Path::new(KEY_FILE),
    };
    let compared = compare_stopped(&user, words, old, &target, &mut |line| say(line));
    for (_, to) in pairs {
        paths::end_mount(to).map_err(io)?;
    }
    compared
}
