//! `stayput mariadb enable`: from a server whose files anybody can read to
//! one whose files are worth nothing without the keys.
//!
//! A database that is encrypted in place leaves clear pages behind, so the
//! data directory is born again: the old server, on a private socket, is read
//! into a new encrypted one, and both are compared. The original is the only
//! clear copy at any time, and it stays until the new one has started behind
//! the gate.

mod journal;
mod preflight;

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::{Problem, Result, mariadb_service};
use crate::keys::MasterKey;
use crate::release::mariadb::MariadbRelease;
use crate::sys::mount;

use super::data_directory::DataDirectory;
use super::durable::{sync_directory, write_durably};
use super::gate::{close, gate, read_check_file};
use super::overwrite::destroy;
use super::server::ServiceUser;
use super::settings::{KEY_FILE, SETTINGS_FILE, settings_file};
use super::units;

use super::copying::{Leftover, ROOM, Source, Target, encrypted_copy, leftover_settings};
use journal::Stage;

/// Where the new data directory is reachable for MariaDB while it is made.
const NEW: &str = "/run/stayput-enable/new";

/// What `enable` needs from the rest of stayput.
pub struct Enrolment<'a> {
    pub master_key: &'a MasterKey,
    /// Notes in the vault what is released from now on, and releases it now
    /// as the next boot will.
    pub record: &'a mut dyn FnMut(MariadbRelease) -> Result<()>,
}

/// Encrypts this machine's MariaDB, or goes on with an interrupted run.
///
/// # Errors
/// When something stands in the way. The original server then runs as before,
/// or the message says what to do.
pub fn enable(enrolment: Enrolment<'_>) -> Result<()> {
    let user = ServiceUser::find()?;
    let stage = Stage::read().map_err(|error| io_problem(&error))?;
    let release = MariadbRelease::new(user.uid, user.gid);
    if stage.is_none() && Path::new(CHECK_FILE).exists() {
        say("MariaDB is already encrypted on this server; writing its settings again.");
        (enrolment.record)(release)?;
        write_settings()?;
        return units::put_gate_in_front();
    }
    (enrolment.record)(release.clone())?;
    if let Some(stage @ (Stage::Switching | Stage::Destroying)) = stage {
        return resume(&release, enrolment.master_key, &user, stage);
    }
    if stage == Some(Stage::Building) {
        say("An earlier run was interrupted; what it had made is thrown away.");
        units::take_gate_away()?;
    }
    let config = user.configuration(&[])?;
    let data = preflight::data_directory(&config)?;
    clear_away(&data)?;
    preflight::space(&data)?;

    say("Stopping MariaDB. Its data stays as it is until the encrypted copy was proven.");
    mariadb_service::stop_mariadb()?;
    let left = match build(&data, &user) {
        Ok(left) => left,
        Err(problem) => {
            say("It did not work; going back to the server as it was.");
            clear_away(&data)?;
            Stage::clear().map_err(|error| io_problem(&error))?;
            mariadb_service::start_mariadb()?;
            return Err(problem);
        }
    };
    // Before the switch: what is interrupted after it goes on without asking
    // the old server again.
    tell(&left, leftover_settings(&config));
    let switched = switch(&data, &release, enrolment.master_key, &user);
    if let Err(problem) = switched {
        say("The encrypted server did not start; going back to the server as it was.");
        go_back(&data)?;
        return Err(problem);
    }
    finish(&data)
}

/// Makes the new data directory and proves that it holds everything.
fn build(data: &DataDirectory, user: &ServiceUser) -> Result<Vec<Leftover>> {
    let io = |error: io::Error| io_problem(&error);
    let root = data
        .real()
        .parent()
        .expect("the real directory has a parent");
    fs::create_dir_all(root).map_err(io)?;
    fs::set_permissions(root, fs::Permissions::from_mode(0o700)).map_err(io)?;
    Stage::Building.write().map_err(io)?;
    fs::create_dir(data.real()).map_err(io)?;
    fs::set_permissions(data.real(), fs::Permissions::from_mode(0o700)).map_err(io)?;
    chown(data.real(), Some(user.uid), Some(user.gid)).map_err(io)?;
    fs::create_dir_all(NEW).map_err(io)?;
    mount::bind(data.real(), Path::new(NEW)).map_err(|errno| io(errno.into()))?;

    let scratch = Path::new(ROOM).join("scratch");
    fs::create_dir_all(&scratch).map_err(io)?;
    chown(&scratch, Some(user.uid), Some(user.gid)).map_err(io)?;
    let target = Target {
        data: Path::new(NEW),
        scratch: &scratch,
        key_file: Path::new(KEY_FILE),
    };
    let source = Source::Stopped { data: data.seen() };
    let copied = encrypted_copy(user, &[], &source, &target, &mut |line| say(line))?;
    carry_over(data, user).map_err(io)?;
    Ok(copied.leftovers)
}

/// The few files beside the tables that belong to the server and hold no row:
/// certificates, the package's version flag, the mark of the last upgrade.
fn carry_over(data: &DataDirectory, user: &ServiceUser) -> io::Result<()> {
    for entry in fs::read_dir(data.seen())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let wanted = [".pem", ".flag", "_upgrade_info"]
            .iter()
            .any(|end| name.ends_with(end));
        if wanted && entry.file_type()?.is_file() {
            let new = data.real().join(name);
            fs::copy(entry.path(), &new)?;
            chown(&new, Some(user.uid), Some(user.gid))?;
        }
    }
    Ok(())
}

/// Puts the new data directory in the original's place, behind the gate. Each
/// step may be done again after a power cut.
fn switch(
    data: &DataDirectory,
    release: &MariadbRelease,
    master_key: &MasterKey,
    user: &ServiceUser,
) -> Result<()> {
    let io = |error: io::Error| io_problem(&error);
    leave_room();
    // From here on nothing starts: the gate finds no check file.
    units::put_gate_in_front()?;
    Stage::Switching.write().map_err(io)?;
    let original = original(data);
    if !original.exists() {
        fs::rename(data.seen(), &original).map_err(io)?;
        sync_directory(data.seen()).map_err(io)?;
        sync_directory(&original).map_err(io)?;
    }
    data.guard(user.uid, user.gid).map_err(io)?;
    write_settings()?;
    let seen = data.seen().to_string_lossy();
    let check = release.check_file(master_key, &seen).map_err(|_| {
        Problem::refused(
            format!("The path {seen} cannot be written into the check file."),
            "Choose a data directory with a shorter path without line breaks.",
        )
    })?;
    write_durably(Path::new(CHECK_FILE), check.to_text().as_bytes()).map_err(io)?;
    say("Starting MariaDB behind the gate.");
    // Its own words are better than systemd's.
    gate()?;
    close()?;
    mariadb_service::start_mariadb()
}

/// Goes on after the point where the copy was proven.
fn resume(
    release: &MariadbRelease,
    master_key: &MasterKey,
    user: &ServiceUser,
    stage: Stage,
) -> Result<()> {
    let data = match stage {
        Stage::Destroying => DataDirectory::seen_at(Path::new(read_check_file()?.data_directory())),
        _ => {
            let config = user.configuration(&[])?;
            let seen = config.value("datadir").unwrap_or_default();
            DataDirectory::seen_at(Path::new(seen.trim_end_matches('/')))
        }
    };
    say("An earlier run was interrupted after the copy was proven; going on from there.");
    if stage == Stage::Switching {
        mariadb_service::stop_mariadb()?;
        if !original(&data).exists() {
            // It is still in its place and may have been written since.
            Stage::Building
                .write()
                .map_err(|error| io_problem(&error))?;
            return Err(Problem::failed(
                "The original was not yet replaced.",
                "Run the command again: it starts from the beginning.",
            ));
        }
        switch(&data, release, master_key, user)?;
    }
    finish(&data)
}

/// Destroys the original. Only now is there no way back.
fn finish(data: &DataDirectory) -> Result<()> {
    let io = |error: io::Error| io_problem(&error);
    Stage::Destroying.write().map_err(io)?;
    say("MariaDB is encrypted and running. Overwriting the old files.");
    destroy(&original(data), &mut |_| {}).map_err(io)?;
    Stage::clear().map_err(io)?;
    say(
        "The old files are overwritten and removed. On an SSD, a flash card or a \
         copy-on-write filesystem copies of them can survive until the whole device is erased; \
         run `fstrim -a` as a first step.",
    );
    Ok(())
}

/// Back to the clear server: everything that [`switch`] did, backwards.
fn go_back(data: &DataDirectory) -> Result<()> {
    let io = |error: io::Error| io_problem(&error);
    mariadb_service::stop_mariadb()?;
    data.close().map_err(io)?;
    let original = original(data);
    if original.exists() {
        if data.seen().exists() {
            data.unguard().map_err(io)?;
            fs::remove_dir(data.seen()).map_err(io)?;
        }
        fs::rename(&original, data.seen()).map_err(io)?;
        sync_directory(data.seen()).map_err(io)?;
    }
    for file in [CHECK_FILE, SETTINGS_FILE] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    units::take_gate_away()?;
    clear_away(data)?;
    Stage::clear().map_err(io)?;
    mariadb_service::start_mariadb()
}

/// Removes what a run has made, before the switch.
fn clear_away(data: &DataDirectory) -> Result<()> {
    leave_room();
    match fs::remove_dir_all(data.real()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_problem(&error)),
        _ => Ok(()),
    }
}

/// Ends what only lives in memory.
fn leave_room() {
    while mount::unmount(Path::new(NEW)).is_ok() {}
    // remove_dir, not remove_dir_all: were it still bound, files would go.
    let _ = fs::remove_dir(NEW);
    if !Path::new(NEW).exists() {
        let _ = fs::remove_dir_all(ROOM);
    }
}

fn original(data: &DataDirectory) -> PathBuf {
    data.real().with_file_name("mariadb.original")
}

fn write_settings() -> Result<()> {
    write_durably(Path::new(SETTINGS_FILE), settings_file().as_bytes())
        .map_err(|error| io_problem(&error))
}

fn tell(tables: &[Leftover], settings: Vec<Leftover>) {
    say("This will stay readable on the disk:");
    for Leftover { what, mend } in tables.iter().chain(&settings) {
        say(format!("  - {what}\n      {mend}"));
    }
}

fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
}

fn io_problem(error: &io::Error) -> Problem {
    Problem::failed(
        format!("A file could not be written or read: {error}"),
        "Is a disk full or failing? `df` and `dmesg` tell. Then run the command again.",
    )
}
