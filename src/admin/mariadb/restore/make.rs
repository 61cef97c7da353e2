//! Makes the restored database in a room beside the one that is there, and counts its rows.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;

use crate::admin::backup::{Tool, Words, run};
use crate::admin::durable::write_durably;
use crate::admin::mariadb::backup_source::MARIADB_BACKUP;
use crate::admin::mariadb::check_file::{MARK, load_check_file};
use crate::admin::mariadb::copying::{
    NewTables, Stopped, TableName, Target, born_from, rows_of_stopped,
};
use crate::admin::mariadb::enable::copy_mounts::CopyMounts;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::settings::KEY_FILE;
use crate::admin::problem::{Problem, Result};
use crate::backup::Method;
use crate::sys::confinement::confine;

use super::role::Role;
use super::upgraded;
use super::{Pour, Run, Wanted, differences, not_there, say};

/// What mariadb-backup has put beside the database's own files.
const NOT_THE_DATABASES: [&str; 3] = ["xtrabackup_", "mariadb_backup_", "backup-my.cnf"];

/// Runs what follows on its input, in which no table names a key that `stayput mariadb rotate`
/// had moved it to: MariaDB may not be given that one here, and takes the newest it has. Only a
/// line that begins a table's options is touched; mariadb-dump writes none of a row so.
const WITHOUT_ROTATED_KEYS: &str = "set -o pipefail; \
     /bin/sed \"/^) ENGINE=/s/ \\`ENCRYPTION_KEY_ID\\`='*[1-9][0-9][0-9][0-9]*'*//\" | \"$@\"";

impl Run {
    /// Removes what an interrupted restore has made, or this one.
    pub(super) fn drop_unfinished(&self) -> Result<()> {
        CopyMounts::end().map_err(paths::problem)?;
        let io = paths::problem;
        for journal in self.earlier.iter().chain([&self.journal]) {
            // The room of another run is an error, unless the other of the two made it.
            let owner = MarkedRoom::owner(&self.places.making);
            if owner.is_none_or(|owner| owner == journal.run) {
                let room = MarkedRoom::find(&self.places.making, journal.run);
                if let Some(room) = room.map_err(io)? {
                    let role = Role::of(&room.data(), journal.run).map_err(io)?;
                    if role == Some(Role::Before) {
                        return Err(not_there());
                    }
                    room.delete().map_err(io)?;
                }
            }
        }
        Ok(())
    }

    /// Makes it and holds its rows against those of the backup.
    pub(super) fn make(&self, wanted: &Wanted<'_>, pour: &mut Pour<'_>) -> Result<()> {
        let room = MarkedRoom::make(&self.places.making, self.journal.run);
        let room = room.map_err(paths::problem)?;
        let mounts = CopyMounts::in_room(&room, self.user).map_err(paths::problem)?;
        let rows = match wanted.method {
            Method::Physical => self.make_from_files(&mounts, pour),
            Method::Dump => self.make_from_sql(&mounts, pour),
        };
        let rows = rows?;
        let wrong = differences(wanted.tables, &rows);
        if let Some(first) = wrong.first() {
            wrong.iter().for_each(|line| say(format!("  {line}")));
            if !wanted.accepts_differences {
                return Err(Problem::failed(
                    format!(
                        "The restored database does not have the rows of the backup in {} tables; \
                         the first: {first}. Nothing was changed.",
                        wrong.len()
                    ),
                    "Take another backup, and please report this to stayput's authors. To restore \
                     it all the same, and keep the database that is there: --accept-differences",
                ));
            }
        }
        let sum: u64 = rows.values().sum();
        say(format!(
            "It has {} tables with {sum} rows{}.",
            rows.len(),
            match wrong.len() {
                0 => ", as the backup says".to_owned(),
                tables => format!("; {tables} differ from the backup, which was accepted"),
            }
        ));
        self.carry_over(&room.data())?;
        upgraded::note(&room.data(), wanted.mariadb_version)?;
        CopyMounts::end().map_err(paths::problem)
    }

    fn make_from_files(
        &self,
        mounts: &CopyMounts,
        pour: &mut Pour<'_>,
    ) -> Result<BTreeMap<TableName, u64>> {
        let data = CopyMounts::data();
        // It takes names such as ../x and /x.
        let mut command = self.confined("/usr/bin/mbstream", Some(&data))?;
        command.args(["-x", "-C"]).arg(&data);
        pour(Tool {
            name: "mbstream",
            command,
            words: Words::Errors,
            well: &[0],
        })?;
        say("Preparing the restored database.");
        let mut command = self.confined(MARIADB_BACKUP, Some(&data))?;
        command.arg("--prepare");
        for option in ["target-dir", "tmpdir"] {
            command.arg(format!("--{option}={}", data.display()));
        }
        // Of a damaged page it prints the rows.
        run(Tool {
            name: "mariadb-backup",
            command,
            words: Words::MarkedErrors,
            well: &[0],
        })?;
        for entry in fs::read_dir(&data).map_err(paths::problem)? {
            let entry = entry.map_err(paths::problem)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if NOT_THE_DATABASES
                .iter()
                .any(|begin| name.starts_with(begin))
            {
                fs::remove_file(entry.path()).map_err(paths::problem)?;
            }
        }
        say("Counting its rows.");
        let stopped = Stopped {
            data: &data,
            key_file: Some(Path::new(KEY_FILE)),
        };
        let target = mounts.target(Some(Path::new(KEY_FILE)));
        rows_of_stopped(&self.user, &self.started.arguments, &stopped, &target)
    }

    fn make_from_sql(
        &self,
        mounts: &CopyMounts,
        pour: &mut Pour<'_>,
    ) -> Result<BTreeMap<TableName, u64>> {
        let target = Target {
            new_tables: NewTables::AsTheSettingsSay,
            ..mounts.target(Some(Path::new(KEY_FILE)))
        };
        say("Making an encrypted data directory.");
        born_from(
            &self.user,
            &self.started.arguments,
            &target,
            &mut |socket| {
                let mut command = self.confined("/bin/bash", None)?;
                command.args(["-c", WITHOUT_ROTATED_KEYS, "bash", "/usr/bin/mariadb"]);
                command.args(["--no-defaults", "--user=root", "--binary-mode"]);
                command.args(["--local-infile=0", "--default-character-set=utf8mb4"]);
                command.arg("--max-allowed-packet=1G");
                command.arg(format!("--socket={}", socket.display()));
                pour(Tool {
                    name: "mariadb",
                    command,
                    words: Words::Numbers,
                    well: &[0],
                })
            },
        )
    }

    /// A program that reads the backup: as MariaDB's user, with no right besides, and with
    /// `room` as all that it can change. Whoever has a lost stick signs as before a new key,
    /// and a person may take his backup for an old one. Were this process killed, nobody else
    /// would end the program.
    fn confined(&self, program: &str, room: Option<&Path>) -> Result<Command> {
        let mut command = Command::new("/usr/bin/setpriv");
        command.arg(format!("--reuid={}", self.user.uid));
        command.arg(format!("--regid={}", self.user.gid));
        command.args(["--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]);
        command.args(["--pdeathsig=TERM", "--", program]);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/");
        confine(&mut command, room).map_err(paths::problem)?;
        Ok(command)
    }

    /// Puts the check values of now beside a database that comes behind the gate. One that was
    /// kept may have those of before a key more (`stayput mariadb rotate`).
    pub(super) fn mark_with_check_values(data: &Path) -> Result<()> {
        let check = load_check_file().map_err(|(what, next)| Problem::refused(what, next))?;
        write_anew(data, MARK, check.to_text().as_bytes()).map_err(paths::problem)
    }

    /// The marks of the gate and of the package, which no backup has.
    fn carry_over(&self, data: &Path) -> Result<()> {
        Self::mark_with_check_values(data)?;
        // The database that is there may be gone.
        let Ok(entries) = fs::read_dir(self.places.data.real()) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text.starts_with("debian-") && text.ends_with(".flag") {
                match fs::File::create_new(data.join(&name)) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                        return Err(paths::problem(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Writes a file into the restored database. What has read the backup may have left a link in
/// its place.
pub(super) fn write_anew(data: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    for name in [name.to_owned(), format!("{name}.new")] {
        match fs::remove_file(data.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    write_durably(&data.join(name), contents)
}
