//! Makes the copy, and lets original and copy change places.

use std::fs;
use std::path::{Path, PathBuf};

use crate::admin::durable::{remove_durably, write_durably};
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{Counts, Source, Stopped, proven_copy};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::settings::{SETTINGS_FILE, settings_file};
use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::problem::{Problem, Result};

use super::super::copy_mounts::{CopyMounts, key_files};
use super::super::start_prevention::Cover;
use super::super::stopping::nobody_in;
use super::super::{other_files, say, unused_copy};
use super::{COUNTS, Run, check_text};

impl Run {
    /// Where the original lies: in its own place, or closed already.
    pub(super) fn original_now(&self) -> Result<PathBuf> {
        let closed = MarkedRoom::find(&self.paths.original, self.journal.run);
        let closed = closed.map_err(paths::problem)?.map(|room| room.data());
        Ok(closed
            .filter(|data| data.exists())
            .unwrap_or_else(|| self.paths.home_of_original().to_owned()))
    }

    /// Where the copy lies: still where it was made, or in its place.
    pub(super) fn copy_now(&self) -> Result<PathBuf> {
        let making = MarkedRoom::find(&self.paths.making, self.journal.run);
        let making = making.map_err(paths::problem)?.map(|room| room.data());
        Ok(making
            .filter(|data| data.exists())
            .unwrap_or_else(|| self.paths.home_of_copy().to_owned()))
    }

    /// From here on nobody finds the original by its path. Who found it just
    /// before is seen by the second look.
    pub(super) fn cover(&self) -> Result<()> {
        let cover = Cover::of(self.paths.home_of_original());
        cover.put().map_err(paths::problem)?;
        nobody_in(&cover.behind(), &[&cover.behind()])
    }

    pub(super) fn copy(&mut self) -> Result<()> {
        let io = paths::problem;
        let room = MarkedRoom::make(&self.paths.making, self.journal.run).map_err(io)?;
        let making = CopyMounts::in_room(&room, self.user).map_err(io)?;
        let behind = Cover::of(self.paths.home_of_original()).behind();
        let [old_keys, new_keys] = key_files(self.conversion());
        let original = Stopped {
            data: &behind,
            key_file: old_keys,
        };
        let copied = proven_copy(
            &self.user,
            &self.started.arguments,
            &Source::Stopped(original),
            &making.target(new_keys),
            &mut |line| say(line),
        )?;
        self.copied = Some(copied);
        CopyMounts::end().map_err(io)
    }

    pub(super) fn carry_over(&self) -> Result<()> {
        let from = Cover::of(self.paths.home_of_original()).behind();
        let Some(known) = &self.known else {
            return Err(Problem::failed(
                "MariaDB was not asked for its files.",
                "Please report this to stayput's authors.",
            ));
        };
        other_files::carry_over(known, &from, &self.copy_now()?)
    }

    pub(super) fn move_original(&mut self) -> Result<()> {
        let io = paths::problem;
        let home = self.paths.home_of_original();
        let room = match MarkedRoom::find(&self.paths.original, self.journal.run).map_err(io)? {
            Some(room) => room,
            None => MarkedRoom::make(&self.paths.original, self.journal.run).map_err(io)?,
        };
        if let Some(copied) = &self.copied {
            let counts = Counts::of(&copied.inventory).text();
            write_durably(&room.file(COUNTS), counts.as_bytes()).map_err(io)?;
        }
        Cover::of(home).take_away().map_err(io)?;
        if !room.data().exists() {
            room.take_in(home).map_err(io)?;
        }
        // Between the cover and the move a server could have found it.
        nobody_in(&room.data(), &[])
    }

    pub(super) fn place_copy(&self) -> Result<()> {
        let io = paths::problem;
        let making = MarkedRoom::find(&self.paths.making, self.journal.run).map_err(io)?;
        if let Some(making) = making.filter(|room| room.data().exists()) {
            if self.conversion() == Conversion::Decrypt {
                // Empty, what closes the place makes room for the copy in one step.
                let bare = self.data().close().and_then(|()| self.data().unguard());
                bare.map_err(io)?;
            }
            making.hand_out(self.paths.home_of_copy()).map_err(io)?;
        }
        self.copy_is_there()?;
        match self.conversion() {
            Conversion::Encrypt => Ok(()),
            Conversion::Decrypt => unused_copy::note(&self.journal, &self.paths).map_err(io),
        }
    }

    /// MariaDB would make an empty database where there is none.
    pub(super) fn copy_is_there(&self) -> Result<()> {
        let home = self.paths.home_of_copy();
        if self.paths.is_copy_home().map_err(paths::problem)? {
            return Ok(());
        }
        Err(Problem::failed(
            format!(
                "The {} is not in {}.",
                self.conversion().copy(),
                home.display()
            ),
            "Was it moved, or is its disk not mounted? Then run the command again.",
        ))
    }

    pub(super) fn write_settings(&self) -> Result<()> {
        let io = paths::problem;
        self.copy_is_there()?;
        let check = fs::read(check_text()).map_err(io)?;
        write_durably(Path::new(SETTINGS_FILE), settings_file().as_bytes()).map_err(io)?;
        // A second one goes where the data goes: on a system that was
        // installed anew it tells whose the data is.
        write_durably(&paths::check_beside(self.data()), &check).map_err(io)?;
        write_durably(Path::new(CHECK_FILE), &check).map_err(io)
    }

    pub(super) fn remove_settings(&self) -> Result<()> {
        self.copy_is_there()?;
        for file in [SETTINGS_FILE, CHECK_FILE] {
            remove_durably(Path::new(file)).map_err(paths::problem)?;
        }
        Ok(())
    }
}
