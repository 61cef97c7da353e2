//! Lets the database behind the gate and the wanted one change places.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;

use crate::admin::durable::sync_directory;
use crate::admin::key_release;
use crate::admin::mariadb::enable::{dependent_units, preflight, start_prevention};
use crate::admin::mariadb::occupants;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::sys::at_end::put_back_at_end;
use crate::sys::exchange::exchange;

use super::plan::Step;
use super::{Run, inode, not_there, say};

impl Run {
    /// Takes one step; a step that is done already is done once more.
    pub(super) fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::HoldUnits => {
                self.held = Some(put_back_at_end(|| {
                    let _ = start_prevention::unmask_units();
                }));
                start_prevention::mask_units()
            }
            Step::StopServer => self.stop(),
            Step::Exchange => self.exchange(),
            Step::NameKept => self.name_kept(),
            Step::LetUnitsGo => {
                self.held = None;
                start_prevention::unmask_units()
            }
            Step::StartServer => {
                say("Starting MariaDB.");
                mariadb_service::start_mariadb()?;
                dependent_units::start();
                key_release::remove_if_read()
            }
            Step::SeeServing => {
                serves_from(self.places.data.real())?;
                paths::leave_room().map_err(paths::problem)
            }
            Step::Note(stage) => self.note(stage),
            Step::DropUnfinished | Step::Make | Step::Sync => Ok(()),
        }
    }

    fn stop(&self) -> Result<()> {
        say("Stopping MariaDB.");
        dependent_units::note();
        mariadb_service::stop_units()?;
        preflight::no_other_server()?;
        // The gate's own line may be lost to systemd: the unit is masked by now.
        self.places.data.close().map_err(paths::problem)?;
        let real = self.places.data.real();
        if !real.exists() {
            return Ok(());
        }
        let found = occupants::of(real, &[]).map_err(paths::problem)?;
        match found.first() {
            None => Ok(()),
            Some(first) => Err(Problem::refused(
                format!("{} is in use: {first}.", real.display()),
                "End what uses it, then run the command again.",
            )),
        }
    }

    fn exchange(&self) -> Result<()> {
        let io = paths::problem;
        let real = self.places.data.real();
        if inode(real).is_ok_and(|inode| inode == self.journal.wanted) {
            return Ok(());
        }
        let room = self.room()?;
        if inode(&room.data())? != self.journal.wanted {
            return Err(not_there());
        }
        if !real.exists() {
            DirBuilder::new().mode(0o700).create(real).map_err(io)?;
        }
        exchange(&room.data(), real).map_err(io)?;
        sync_directory(&room.data()).map_err(io)?;
        sync_directory(real).map_err(io)
    }

    fn name_kept(&self) -> Result<()> {
        let io = paths::problem;
        let (making, kept) = (&self.places.making, &self.places.kept);
        if MarkedRoom::find(making, self.journal.run)
            .map_err(io)?
            .is_none()
        {
            return Ok(());
        }
        if kept.exists() {
            return Err(Problem::refused(
                format!("{} is there already.", kept.display()),
                "Look at what is in it, and move it away. Then run the command again.",
            ));
        }
        fs::rename(making, kept).map_err(io)?;
        sync_directory(kept).map_err(io)
    }
}
