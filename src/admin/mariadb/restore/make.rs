//! Makes the restored database in a room beside the one that is there, and counts its rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::admin::backup::Tool;
use crate::admin::durable::write_durably;
use crate::admin::mariadb::backup_source::MARIADB_BACKUP;
use crate::admin::mariadb::check_file::{MARK, load_check_file};
use crate::admin::mariadb::copying::{Stopped, TableName, born_from, rows_of_stopped};
use crate::admin::mariadb::enable::copy_mounts::CopyMounts;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::settings::KEY_FILE;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::backup::Method;

use super::journal::Stage;
use super::{Pour, Run, Wanted, differences, say};

/// What mariadb-backup has put beside the database's own files.
const NOT_THE_DATABASES: [&str; 3] = ["xtrabackup_", "mariadb_backup_", "backup-my.cnf"];

impl Run {
    /// Removes what an interrupted restore has made, or this one.
    pub(super) fn drop_unfinished(&self) -> Result<()> {
        CopyMounts::end().map_err(paths::problem)?;
        let earlier = self.earlier.iter();
        let earlier = earlier.filter(|earlier| earlier.stage == Stage::Building);
        for journal in earlier.chain([&self.journal]) {
            // The room of another run is an error, unless the other of the two made it.
            let owner = MarkedRoom::owner(&self.places.making);
            if owner.is_none_or(|owner| owner == journal.run) {
                let room = MarkedRoom::find(&self.places.making, journal.run);
                if let Some(room) = room.map_err(paths::problem)? {
                    room.delete().map_err(paths::problem)?;
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
            Method::Physical => self.from_files(&mounts, pour),
            Method::Dump => self.from_sql(&mounts, pour),
        };
        let rows = rows?;
        let wrong = differences(wanted.tables, &rows);
        if let Some(first) = wrong.first() {
            wrong
                .iter()
                .take(20)
                .for_each(|line| say(format!("  {line}")));
            return Err(Problem::failed(
                format!(
                    "The restored database does not have the rows of the backup in {} tables; \
                     the first: {first}. Nothing was changed.",
                    wrong.len()
                ),
                "Take another backup, and please report this to stayput's authors.",
            ));
        }
        let sum: u64 = rows.values().sum();
        say(format!(
            "It has {} tables with {sum} rows, as the backup says.",
            rows.len()
        ));
        self.carry_over(&room.data())?;
        CopyMounts::end().map_err(paths::problem)
    }

    fn from_files(
        &self,
        mounts: &CopyMounts,
        pour: &mut Pour<'_>,
    ) -> Result<BTreeMap<TableName, u64>> {
        let data = CopyMounts::data();
        let next = "Nothing was changed. Is the disk full? `df` tells.";
        let mut command = Command::new("/usr/bin/mbstream");
        command.env_clear().args(["-x", "-C"]).arg(&data);
        pour(Tool {
            name: "mbstream",
            command,
            well: &[0],
        })?;
        say("Preparing the restored database.");
        let mut prepare = Command::new("/usr/bin/setpriv");
        prepare.args(["--pdeathsig=TERM", "--", MARIADB_BACKUP, "--prepare"]);
        prepare.arg(format!("--target-dir={}", data.display()));
        prepare
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        program::run(prepare.current_dir("/"), next)?;
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
        self.give_to_mariadb(&data)?;
        say("Counting its rows.");
        let stopped = Stopped {
            data: &data,
            key_file: Some(Path::new(KEY_FILE)),
        };
        let target = mounts.target(Some(Path::new(KEY_FILE)));
        rows_of_stopped(&self.user, &self.started.arguments, &stopped, &target)
    }

    fn from_sql(
        &self,
        mounts: &CopyMounts,
        pour: &mut Pour<'_>,
    ) -> Result<BTreeMap<TableName, u64>> {
        let target = mounts.target(Some(Path::new(KEY_FILE)));
        say("Making an encrypted data directory.");
        born_from(
            &self.user,
            &self.started.arguments,
            &target,
            &mut |socket| {
                let mut command = Command::new("/usr/bin/mariadb");
                command.env_clear().env("PATH", "/usr/bin:/bin");
                command.args(["--no-defaults", "--user=root", "--binary-mode"]);
                command.args(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"]);
                command.arg(format!("--socket={}", socket.display()));
                pour(Tool {
                    name: "mariadb",
                    command,
                    well: &[0],
                })
            },
        )
    }

    fn give_to_mariadb(&self, data: &Path) -> Result<()> {
        let mut chown = Command::new("/usr/bin/chown");
        chown.args(["--recursive", "--no-dereference"]);
        chown.arg(format!("{}:{}", self.user.uid, self.user.gid));
        program::run(chown.arg(data), "Nothing was changed. `dmesg` tells more.").map(drop)
    }

    /// The marks of the gate and of the package, which no backup has.
    fn carry_over(&self, data: &Path) -> Result<()> {
        let check = load_check_file().map_err(|(what, next)| Problem::refused(what, next))?;
        let marked = write_durably(&data.join(MARK), check.to_text().as_bytes());
        marked.map_err(paths::problem)?;
        // The database that is there may be gone.
        let Ok(entries) = fs::read_dir(self.places.data.real()) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text.starts_with("debian-") && text.ends_with(".flag") {
                fs::File::create(data.join(&name)).map_err(paths::problem)?;
            }
        }
        Ok(())
    }
}
