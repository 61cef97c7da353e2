//! The running database as what a backup is made of: the tool that reads it, its rows, and
//! what it says of itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::copying::{Client, RowWatch, on_disk};
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::service_user::{ServiceUser, leading};
use crate::admin::mariadb::version::Version;
use crate::admin::problem::{Problem, Result};
use crate::release::mariadb::CheckFile;

/// MariaDB's own tools.
pub const MARIADB_BACKUP: &str = "/usr/bin/mariadb-backup";
pub const MARIADB_DUMP: &str = "/usr/bin/mariadb-dump";

/// For small files of mariadb-backup, in memory: none of them holds a row.
const ROOM: &str = "/run/stayput-backup";

/// The database that is served behind the gate.
pub struct RunningDatabase {
    client: Client,
    started: StartCommand,
    socket: PathBuf,
    data: DataDirectory,
    check: CheckFile,
}

impl RunningDatabase {
    /// # Errors
    /// When it does not run, is not encrypted with keys from here, or does not answer.
    pub fn find() -> Result<Self> {
        let check = load_check_file().map_err(|(what, _)| {
            Problem::refused(
                format!("This server's database is not encrypted with keys from here: {what}."),
                "Run: stayput mariadb enable",
            )
        })?;
        let data = DataDirectory::seen_at(Path::new(check.data_directory()));
        serves_from(data.real())?;
        let started = unit_start_command(&ServiceUser::find()?)?;
        let socket = started.config.value("socket");
        let socket = PathBuf::from(socket.unwrap_or("/run/mysqld/mysqld.sock"));
        Ok(Self {
            client: Client::of_the_unit(&socket)?,
            started,
            socket,
            data,
            check,
        })
    }

    /// By what the gate recognises its keys.
    pub fn check_file(&self) -> &CheckFile {
        &self.check
    }

    /// Begins to see which tables are written.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn watch(&self) -> Result<RowWatch> {
        RowWatch::begin(&self.client)
    }

    /// Whom to ask.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// As it says it itself.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn version(&self) -> Result<String> {
        Ok(self.client.rows("SELECT VERSION()")?.concat().concat())
    }

    /// Where it stands: another text once somebody has written into it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn mark(&self) -> Result<String> {
        let rows = self.client.rows(
            "SELECT CONCAT_WS(' ', @@global.gtid_binlog_pos, VARIABLE_VALUE) \
             FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_LSN_CURRENT'",
        )?;
        Ok(rows.concat().concat())
    }

    /// Bytes that its files take.
    pub fn bytes(&self) -> u64 {
        on_disk(self.data.real())
    }

    /// The directories of its files, whichever way they are named.
    pub fn directories(&self) -> [&Path; 2] {
        [self.data.seen(), self.data.real()]
    }

    /// What writes its files to standard output, as mbstream reads them.
    ///
    /// # Errors
    /// When there is no room in /run.
    pub fn files(&self) -> Result<Command> {
        let made = fs::create_dir_all(ROOM)
            .and_then(|()| fs::set_permissions(ROOM, fs::Permissions::from_mode(0o700)));
        made.map_err(|error| Problem::of_file(ROOM, &error))?;
        let mut command = self.tool(MARIADB_BACKUP);
        command.args(["--backup", "--stream=mbstream"]);
        command.arg(format!("--target-dir={ROOM}"));
        command.arg(format!("--tmpdir={ROOM}"));
        Ok(self.as_root(command))
    }

    /// What writes its contents to standard output as SQL.
    ///
    /// # Errors
    /// When the server does not say its version.
    pub fn dump(&self) -> Result<Command> {
        let mut command = self.tool(MARIADB_DUMP);
        command.args([
            "--all-databases",
            "--single-transaction",
            "--quick",
            "--hex-blob",
            "--routines",
            "--events",
            "--default-character-set=utf8mb4",
            // They break defaults that take the next value of a sequence.
            "--skip-add-locks",
            "--max-allowed-packet=1G",
        ]);
        if dumps_history(&self.version()?) {
            command.arg("--dump-history");
        }
        Ok(self.as_root(command))
    }

    /// Were this process killed, nobody else would end it.
    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig=TERM", "--", program]);
        command.args(leading(&self.started.arguments));
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            // Where root's password is, if root has one.
            .env("HOME", "/root")
            .current_dir("/");
        command
    }

    fn as_root(&self, mut command: Command) -> Command {
        command.arg("--user=root");
        command.arg(format!("--socket={}", self.socket.display()));
        command
    }
}

/// Where the binary log stood, as mariadb-backup says it; empty where it is off.
pub fn gtid_in(said: &str) -> &str {
    const MARK: &str = "GTID of the last change '";
    let after = said.rsplit_once(MARK).map(|(_, after)| after);
    after
        .and_then(|after| after.split_once('\''))
        .map_or("", |(gtid, _)| gtid)
}

/// Whether mariadb-dump of this version takes the earlier rows of system-versioned tables
/// along; without them a restored table has fewer rows.
fn dumps_history(version: &str) -> bool {
    Version::parse(version).is_some_and(|version| version >= Version(10, 11, 1))
}

/// Whether files that this version wrote are read by another one: within a series, by the
/// same or a later one.
pub fn reads_files_of(version: &str, reader: &str) -> bool {
    match (Version::parse(version), Version::parse(reader)) {
        (Some(wrote), Some(reads)) => (wrote.0, wrote.1) == (reads.0, reads.1) && wrote <= reads,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_of_the_binary_log_is_what_mariadb_backup_says() {
        let said = "[00] 2026-11-27 20:00:00 MySQL binlog position: filename 'mysql-bin.000001', \
                    position '343', GTID of the last change '0-1-5'\n[00] completed OK!\n";
        assert_eq!(gtid_in(said), "0-1-5");
        assert_eq!(gtid_in("completed OK!\n"), "");
    }

    #[test]
    fn history_is_dumped_where_the_program_can() {
        assert!(dumps_history("10.11.19-MariaDB-0+deb12u1-log"));
        assert!(dumps_history("11.8.9-MariaDB"));
        assert!(!dumps_history("10.6.21-MariaDB"));
        assert!(!dumps_history(""));
    }

    #[test]
    fn files_are_restored_within_a_series_and_never_backwards() {
        let reads = |wrote, reader| reads_files_of(wrote, reader);
        assert!(reads("10.11.19-MariaDB-0+deb12u1-log", "10.11.19-MariaDB"));
        assert!(reads("10.11.11-MariaDB", "10.11.19-MariaDB"));
        assert!(!reads("10.11.19-MariaDB", "10.11.11-MariaDB"));
        assert!(!reads("10.11.19-MariaDB", "11.8.9-MariaDB"));
        assert!(!reads("11.8.9-MariaDB", "10.11.19-MariaDB"));
        assert!(!reads("", "10.11.19-MariaDB"));
    }
}
