//! A database that is encrypted already: renews its settings, or puts it to use on
//! a system that does not know it.

use std::path::Path;

use crate::admin::ask;
use crate::admin::durable::write_durably;
use crate::admin::key_release;
use crate::admin::mariadb::check_file::{mark, read_check_file};
use crate::admin::mariadb::data_directory::{DataDirectory, Door, holds_something};
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{SETTINGS_FILE, settings_file};
use crate::admin::mariadb::swap::{self, System};
use crate::admin::mariadb_service::{self, CHECK_FILE};
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::unlock;
use crate::release::mariadb::{CheckFile, MariadbRelease};

use super::database_keys::DatabaseKeys;
use super::{EnableOptions, preflight, release_keys, replace_swap, say};
use crate::admin::mariadb::run_records::paths::{self, RunPaths};

/// Writes the settings and the gate of an encrypted server again.
///
/// # Errors
/// When the database is not where it should be, or something cannot be written.
pub fn refresh(options: &EnableOptions, user: &ServiceUser) -> Result<()> {
    let check = read_check_file()?;
    let data = DataDirectory::seen_at(Path::new(check.data_directory()));
    if !holds_something(data.real()) {
        return Err(Problem::refused(
            format!(
                "This server's database should lie in {}, which is empty or missing. Nothing was \
                 changed.",
                data.real().display()
            ),
            "Is its disk mounted? Otherwise restore the database from a backup.",
        ));
    }
    say("MariaDB is already encrypted on this server.");
    let system = System::here();
    if options.swap.is_none() {
        swap::refuse_clear_memory(&system)?;
    }
    if options.dry_run {
        return Ok(());
    }
    replace_swap(options, &system)?;
    say("Writing its settings again.");
    // One that was put back from a copy may be of before `stayput mariadb rotate`.
    let beside = mark(data.real(), data.seen()).filter(|beside| beside.has_more_than(&check));
    let check = beside.unwrap_or(check);
    release_keys(options, user, DatabaseKeys::Of(&check))?;
    write_durably(Path::new(CHECK_FILE), check.to_text().as_bytes()).map_err(paths::problem)?;
    if mariadb_service::is_started() && !mariadb_service::is_starting() {
        key_release::remove_if_read()?;
    }
    write_settings(&check)?;
    gate_units::put_gate_in_front()
}

/// Puts an encrypted database to use again whose check file this system lacks: the
/// system was installed anew, or the file was lost. The vault must have its keys.
/// The data itself is not touched.
///
/// # Errors
/// When the keys are others, or something else is in the way.
pub fn adopt(options: &EnableOptions, user: &ServiceUser, paths: &RunPaths) -> Result<()> {
    let real = paths.data.real().display();
    let found = preflight::check_file_beside(&paths.data);
    let Some(check) = found else {
        return Err(Problem::refused(
            format!(
                "{real} holds files that no run of this command made: perhaps an encrypted \
                 database. Nothing was changed."
            ),
            format!("If it is of no use any more, move it away: `mv {real} {real}.old`."),
        ));
    };
    if paths.data.door().map_err(paths::problem)? == Door::Foreign {
        let seen = paths.data.seen().display();
        return Err(Problem::refused(
            format!(
                "{real} holds an encrypted database of this server, and {seen} another one. \
                 Nothing was changed."
            ),
            format!(
                "To use the encrypted one: `systemctl stop mariadb && mv {seen} {seen}.before`, \
                 then run the command again."
            ),
        ));
    }
    say(format!("{real} holds an encrypted database."));
    if options.dry_run {
        return Ok(());
    }
    ask::confirm(
        "Use it again with the keys of this server's vault?",
        options.yes,
    )?;
    let unlocked = unlock(&options.unlock)?;
    let found = MariadbRelease::of_database(user.uid, user.gid, &check, unlocked.keys());
    drop(unlocked);
    if found.is_err() {
        return Err(Problem::refused(
            format!("The database in {real} has other keys than this vault. Nothing was changed."),
            "Use the vault, or a backup stick, of the server that it comes from.",
        ));
    }
    release_keys(options, user, DatabaseKeys::Of(&check))?;
    gate_units::put_gate_in_front()?;
    paths
        .data
        .guard(user.uid, user.gid)
        .map_err(paths::problem)?;
    write_settings(&check)?;
    write_durably(Path::new(CHECK_FILE), check.to_text().as_bytes()).map_err(paths::problem)?;
    mariadb_service::start_mariadb()?;
    say("MariaDB runs from the encrypted database.");
    Ok(())
}

fn write_settings(check: &CheckFile) -> Result<()> {
    let text = settings_file(check.key_of_new_tables());
    write_durably(Path::new(SETTINGS_FILE), text.as_bytes()).map_err(paths::problem)
}
