//! Moves the database between the gate and its own place, and back. No row is copied:
//! the data directory is renamed. Every state in between can be told from what is on
//! the disk, and leads back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::admin::durable::{remove_durably, sync_directory, write_durably};
use crate::admin::key_release;
use crate::admin::mariadb::check_file::{MARK, mark};
use crate::admin::mariadb::copying::{Client, TableName};
use crate::admin::mariadb::data_directory::{DataDirectory, Door, holds_something};
use crate::admin::mariadb::enable::stopping::{nobody_in, stop_alone};
use crate::admin::mariadb::enable::{dependent_units, start_prevention};
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::launch::unit_start_command;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{
    KEY_FILE as RELEASED, KeySource, SETTINGS_FILE, key_source, settings_file, settings_file_for,
};
use crate::admin::mariadb_service::{self, CHECK_FILE};
use crate::admin::problem::{Problem, Result};
use crate::keys::Keyring;
use crate::release::mariadb::MariadbRelease;
use crate::release::no_start;

use super::journal::{Direction, Journal};
use super::plan::{BACK, END_OF_BACK, OUT, OUT_AGAIN, Step};
use super::{key_file, say, start_guard};

/// Marks data that has lost its mark, where the owner's key file and the vault have the
/// same keys.
///
/// # Errors
/// When they have not, or that cannot be seen; nothing was changed.
pub fn mark_anew(
    data: &Path,
    key_file: &Path,
    user: &ServiceUser,
    keys: &Keyring,
) -> Result<MariadbRelease> {
    // The keys may follow from an earlier master key.
    let made = keys.all().find_map(|(generation, _)| {
        let release = MariadbRelease::new(user.uid, user.gid, generation);
        let check = release.check_file(keys, &data.to_string_lossy()).ok()?;
        key_file::holds_keys_of(key_file, &check).then_some((release, check))
    });
    let (release, check) = made.ok_or_else(|| {
        Problem::refused(
            format!(
                "{} lacks its {MARK}, and {} does not hold the keys of this vault. Nothing was \
                 changed.",
                data.display(),
                key_file.display()
            ),
            format!(
                "Put {MARK} back from a backup of the data, or use the vault that the keys come \
                 from."
            ),
        )
    })?;
    write_durably(&data.join(MARK), check.to_text().as_bytes()).map_err(paths::problem)?;
    Ok(release)
}

/// `stayput mariadb continue`, where a journal of a move is there: what the unit runs.
///
/// # Errors
/// What stands in the way. The unit then has [`let_go`] put things back.
pub fn go_on(journal: &Journal) -> Result<()> {
    match journal.direction {
        Direction::Out => out(journal),
        Direction::Back => back(journal),
    }
}

/// `stayput mariadb let-go`, where a journal of a move is there: the move did not end.
/// Where it cannot be put back and the owner's key file opens the database, MariaDB runs
/// with that.
///
/// # Errors
/// When the gate and the data cannot be put back.
pub fn let_go(journal: &Journal) -> Result<()> {
    let Err(problem) = back(journal) else {
        return Ok(());
    };
    // Whatever else went wrong, MariaDB's units must not stay masked.
    start_prevention::unmask_units()?;
    let place = Place::of(journal)?;
    if is_out(&place.data, &journal.key_file) && !no_start::is_forbidden() {
        say(&problem.what);
        let shown = journal.key_file.display();
        say(format!(
            "It cannot be put back now; MariaDB goes on with the keys in {shown}."
        ));
        OUT_AGAIN
            .into_iter()
            .try_for_each(|step| place.take(step))?;
    }
    Err(problem)
}

/// Takes the database from behind the gate to its own place, with the keys in the
/// owner's file, and sees it serve from there.
fn out(journal: &Journal) -> Result<()> {
    let place = Place::of(journal)?;
    stop(&place.data, place.data.real())?;
    for step in OUT {
        if !step.is_allowed(no_start::is_forbidden()) {
            return Err(Problem::refused(
                "The keys were taken out of memory meanwhile: MariaDB is not to start.",
                "Bring them back (`stayput release`), then run the command again.",
            ));
        }
        place.take(step)?;
    }
    paths::leave_room().map_err(paths::problem)
}

/// Puts the database behind the gate, with the keys in memory, from wherever a move
/// has got to. Nothing is lost by it: there is only one copy of the data, and the owner's
/// key file stays until the gate has let MariaDB start.
///
/// # Errors
/// When the data is not found, its keys are not in memory, or something cannot be
/// written; it can be run again.
pub fn back(journal: &Journal) -> Result<()> {
    let place = Place::of(journal)?;
    let data = &place.data;
    if !is_behind_the_gate(data) {
        say("Putting the database behind the gate.");
        let at = where_it_is(data)?;
        // It may be at work there.
        if at == data.seen() && !are_keys_released(data) {
            return Err(Problem::refused(
                format!(
                    "The keys of the database are not in memory; it stays where it is, with \
                     those in {}.",
                    journal.key_file.display()
                ),
                "Bring them there (`stayput release`), then run the command again.",
            ));
        }
        stop(data, at)?;
        BACK.into_iter().try_for_each(|step| place.take(step))?;
    }
    END_OF_BACK
        .into_iter()
        .try_for_each(|step| place.take(step))?;
    key_release::remove_if_read()?;
    paths::leave_room().map_err(paths::problem)?;
    say("MariaDB runs behind the gate, with the keys that stayput releases.");
    Ok(())
}

/// Whether the keys in memory are those of a database that is out.
fn are_keys_released(data: &DataDirectory) -> bool {
    mark(data.seen(), data.seen())
        .is_some_and(|check| key_file::holds_keys_of(Path::new(RELEASED), &check))
}

/// Whether the database lies where MariaDB looks for it, and this key file, which the
/// settings name, opens it.
pub fn is_out(data: &DataDirectory, key_file: &Path) -> bool {
    key_source() == KeySource::File(key_file.to_owned()) && is_opened_by(data, key_file)
}

fn is_opened_by(data: &DataDirectory, key_file: &Path) -> bool {
    data.door().is_ok_and(|door| door == Door::Foreign)
        && mark(data.seen(), data.seen())
            .is_some_and(|check| key_file::holds_keys_of(key_file, &check))
}

/// Where a move works.
struct Place<'a> {
    data: DataDirectory,
    key_file: &'a Path,
    user: ServiceUser,
}

impl<'a> Place<'a> {
    fn of(journal: &'a Journal) -> Result<Self> {
        Ok(Self {
            data: DataDirectory::seen_at(&journal.data),
            key_file: &journal.key_file,
            user: ServiceUser::find()?,
        })
    }

    /// Takes one step; a step that is done already is done once more.
    fn take(&self, step: Step) -> Result<()> {
        let (seen, real) = (self.data.seen(), self.data.real());
        let settings = |text: String| write_durably(Path::new(SETTINGS_FILE), text.as_bytes());
        let done = match step {
            Step::TakeGateAway => {
                start_guard::put(self.key_file).map_err(paths::problem)?;
                return gate_units::take_gate_away();
            }
            Step::PutGateInFront => {
                start_guard::remove().map_err(paths::problem)?;
                return gate_units::put_gate_in_front();
            }
            Step::Start => return start(),
            Step::SeeItServe => {
                say("Looking whether MariaDB serves all tables with the keys in that file.");
                return prove(seen, self.key_file);
            }
            Step::NameKeyFile => settings(settings_file_for(self.key_file)),
            Step::NameReleasedKeys => settings(settings_file()),
            // What stands where MariaDB looks is empty then: the data takes its place in
            // one step.
            Step::MoveOut => {
                let bare = self.data.close().and_then(|()| self.data.unguard());
                bare.and_then(|()| rename(real, seen))
            }
            Step::MoveBack if holds_something(real) => Ok(()),
            Step::MoveBack => rename(seen, real),
            Step::Guard => self.data.guard(self.user.uid, self.user.gid),
            Step::RemoveCheckFile => remove_durably(Path::new(CHECK_FILE)).map(drop),
            Step::WriteCheckFile => {
                let check = mark(real, seen).ok_or_else(|| not_found(&self.data))?;
                write_durably(Path::new(CHECK_FILE), check.to_text().as_bytes())
            }
            Step::EraseKeyFile => {
                // The database has its keys: what is left of these stops nothing.
                if let Some(check) = mark(real, seen)
                    && let erased = key_file::erase(self.key_file, &check)
                    && let Some(told) = key_file::left_over(self.key_file, erased)
                {
                    say(told);
                }
                Ok(())
            }
            Step::EndJournal => Journal::clear(),
        };
        done.map_err(paths::problem)
    }
}

/// Whether nothing of a move has been done, or all of it is put back.
fn is_behind_the_gate(data: &DataDirectory) -> bool {
    key_source() == KeySource::Released
        && gate_units::not_as_written().is_empty()
        && !start_guard::is_there()
        && mariadb_service::is_enabled()
        && holds_something(data.real())
}

/// Where the data lies now.
fn where_it_is(data: &DataDirectory) -> Result<&Path> {
    if holds_something(data.real()) {
        return Ok(data.real());
    }
    let is_out = data.door().is_ok_and(|door| door == Door::Foreign);
    match is_out && mark(data.seen(), data.seen()).is_some() {
        true => Ok(data.seen()),
        false => Err(not_found(data)),
    }
}

fn not_found(data: &DataDirectory) -> Problem {
    Problem::refused(
        format!(
            "The database is neither in {} nor, with its {MARK}, in {}.",
            data.real().display(),
            data.seen().display()
        ),
        "Is its disk mounted? Mount it, then run the command again.",
    )
}

/// Stops MariaDB, and sees that nobody works in its data, which lies in `at`. Nothing
/// starts it again until [`start`] or the next boot.
fn stop(data: &DataDirectory, at: &Path) -> Result<()> {
    start_prevention::mask_units()?;
    stop_alone(data)?;
    nobody_in(at, &[])
}

fn start() -> Result<()> {
    start_prevention::unmask_units()?;
    say("Starting MariaDB.");
    mariadb_service::start_mariadb()?;
    dependent_units::start();
    Ok(())
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_directory(to)?;
    sync_directory(from)
}

/// Checks that MariaDB works in `data`, with the keys in this file, and that each table
/// of an engine that encrypts can be read.
fn prove(data: &Path, key_file: &Path) -> Result<()> {
    serves_from(data)?;
    let started = unit_start_command(&ServiceUser::find()?)?;
    let socket = started.config.value("socket");
    let client = Client::of_the_unit(Path::new(socket.unwrap_or("/run/mysqld/mysqld.sock")))?;
    let named = client.rows("SELECT @@GLOBAL.file_key_management_filename")?;
    if PathBuf::from(named.concat().concat()) != key_file {
        return Err(Problem::failed(
            format!(
                "MariaDB does not take its keys from {}.",
                key_file.display()
            ),
            "Is file_key_management_filename set elsewhere in /etc/mysql? Remove it there.",
        ));
    }
    for table in encrypted_tables(&client)? {
        let read = client.rows(&format!("SELECT 1 FROM {} LIMIT 1", table.sql()));
        // People work with it: a table may have gone meanwhile.
        if read.is_err() && encrypted_tables(&client)?.contains(&table) {
            return read.map(drop);
        }
    }
    Ok(())
}

/// The tables of the engines that encrypt.
fn encrypted_tables(client: &Client) -> Result<Vec<TableName>> {
    let rows = client.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
         WHERE ENGINE IN ('InnoDB', 'Aria') AND TABLE_SCHEMA <> 'information_schema' \
         AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')",
    )?;
    let named = |row: &Vec<String>| match &row[..] {
        [schema, name] => Some(TableName::new(schema, name)),
        _ => None,
    };
    Ok(rows.iter().filter_map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_out_only_with_its_mark_and_its_own_keys() {
        let room = tempfile::tempdir().unwrap();
        let data = DataDirectory::seen_at(&room.path().join("mysql"));
        let key_file = room.path().join("keys");
        let key = Keyring::of_bytes;
        let release = MariadbRelease::new(0, 0, 1);
        let put = |byte| fs::write(&key_file, release.key_file(&key(byte)).as_bytes()).unwrap();
        fs::create_dir(data.seen()).unwrap();
        fs::write(data.seen().join("ibdata1"), "").unwrap();
        put(1);
        assert!(!is_opened_by(&data, &key_file));
        let seen = data.seen().to_str().unwrap();
        let check = release.check_file(&key(1), seen).unwrap();
        fs::write(data.seen().join(MARK), check.to_text()).unwrap();
        assert!(is_opened_by(&data, &key_file));
        put(2);
        assert!(!is_opened_by(&data, &key_file));
        // The mark is lost: only the keys of the vault bring it back.
        fs::remove_file(data.seen().join(MARK)).unwrap();
        let user = ServiceUser { uid: 0, gid: 0 };
        let anew = || mark_anew(data.seen(), &key_file, &user, &key(1));
        assert!(anew().is_err() && mark(data.seen(), data.seen()).is_none());
        put(1);
        assert!(anew().is_ok() && mark(data.seen(), data.seen()).is_some());
        // Behind the gate, which stands open.
        fs::create_dir(room.path().join("stayput")).unwrap();
        std::os::unix::fs::symlink(data.seen(), data.real()).unwrap();
        assert!(!is_opened_by(&data, &key_file));
    }
}
