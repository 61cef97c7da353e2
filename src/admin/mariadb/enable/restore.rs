//! Puts the original back at its own path, with the gate and the settings that it had.
//! Each step can be taken again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::admin::durable::{sync_directory, write_durably};
use crate::admin::mariadb::check_file::mark;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::data_directory::{DataDirectory, Door};
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::run_records::journal::Journal;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{SETTINGS_FILE, settings_file};
use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::problem::{Problem, Result};
use crate::release::mariadb::CheckFile;

use super::say;

/// Puts the original back at its own path, with the gate and the settings that it had.
///
/// # Errors
/// What the filesystem or systemd says; it can be run again.
pub fn restore_original(journal: &Journal, paths: &RunPaths) -> Result<()> {
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
    let check = mark(data.real(), data.seen());
    let new_tables = check.as_ref().and_then(CheckFile::key_of_new_tables);
    let settings = settings_file(new_tables);
    write_durably(Path::new(SETTINGS_FILE), settings.as_bytes()).map_err(io)?;
    let check = check.ok_or_else(|| {
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
