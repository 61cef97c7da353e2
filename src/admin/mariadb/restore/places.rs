//! Where the two databases of a restore lie.

use std::path::{Path, PathBuf};

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::run_records::marked_room::{MarkedRoom, RunId};
use crate::admin::mariadb::run_records::paths;
use crate::admin::problem::{Problem, Result};

use super::plan::Room;
use super::role::Role;

/// The directories of a restore, side by side on one filesystem.
pub struct Places {
    /// The data directory, seen and real.
    pub data: DataDirectory,
    /// The room in which the restored database is made.
    pub making: PathBuf,
    /// The room of the one that is not behind the gate.
    pub kept: PathBuf,
}

impl Places {
    /// Those of the database that is behind the gate.
    ///
    /// # Errors
    /// When nobody knows which database is this server's.
    pub fn find() -> Result<Self> {
        let check = load_check_file().map_err(|(what, next)| {
            Problem::refused(
                format!("Which database is this server's cannot be told: {what}."),
                next,
            )
        })?;
        Ok(Self::of(Path::new(check.data_directory())))
    }

    /// `seen` is the data directory as MariaDB sees it.
    pub fn of(seen: &Path) -> Self {
        let data = DataDirectory::seen_at(seen);
        let beside = |name: &str| data.real().with_file_name(name);
        Self {
            making: beside("mariadb.restoring"),
            kept: beside("mariadb.before-restore"),
            data,
        }
    }

    /// # Errors
    /// Where something has the name already under which a database is kept.
    pub fn must_have_room_to_keep(&self) -> Result<()> {
        if !self.kept.exists() {
            return Ok(());
        }
        Err(Problem::refused(
            format!("{} is there already.", self.kept.display()),
            "Look at what is in it, and move it away. Then run the command again.",
        ))
    }

    /// Which of the run's two lies behind the gate; `None` for neither.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn behind(&self, run: RunId) -> Result<Option<Role>> {
        Role::of(self.data.real(), run).map_err(paths::problem)
    }

    /// Which of the run's two lies beside it, and where.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn aside(&self, run: RunId) -> Result<Option<(Room, Role)>> {
        let Some((at, room)) = self.room(run)? else {
            return Ok(None);
        };
        let role = Role::of(&room.data(), run).map_err(paths::problem)?;
        Ok(role.map(|role| (at, role)))
    }

    /// The room of the database that is not behind the gate.
    ///
    /// # Errors
    /// What the filesystem says; also for a room without any mark.
    pub fn room(&self, run: RunId) -> Result<Option<(Room, MarkedRoom)>> {
        for (at, path) in [(Room::Making, &self.making), (Room::Kept, &self.kept)] {
            // What is there without this run's mark is somebody else's.
            let owner = MarkedRoom::owner(path);
            if owner.is_some_and(|owner| owner != run) {
                continue;
            }
            let found = MarkedRoom::find(path, run).map_err(paths::problem)?;
            if let Some(room) = found {
                return Ok(Some((at, room)));
            }
        }
        Ok(None)
    }
}
