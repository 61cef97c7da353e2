//! The work on the stopped server: takes the steps of the plan one by one, each
//! only when everything that it needs was seen.

mod ending;
mod moving;

use std::path::{Path, PathBuf};

use crate::admin::durable::Filesystem;
use crate::admin::key_release;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{Copied, ROOM, refuse_encrypted_data};
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::other_files::Known;
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::release::no_start;
use crate::sys::clock;

use super::plan::{Holds, Step, steps};
use super::proofs::{self, OnDisk, Serving, Unused};
use super::stopping::{nobody_in, stop_alone};
use super::{client_of, dependent_units, going_back, original, other_files, say, start_prevention};

/// The file with the row count of every table, beside the original.
const COUNTS: &str = "counts";

/// Where the check file's text waits for its place: this process has no master
/// key to make it with.
pub fn check_text() -> PathBuf {
    Path::new(ROOM).join("check")
}

struct Run {
    journal: Journal,
    paths: RunPaths,
    user: ServiceUser,
    /// As the unit starts MariaDB; read before the unit is masked.
    started: StartCommand,
    /// What MariaDB said of its files before it was stopped.
    known: Option<Known>,
    copied: Option<Copied>,
    filesystem: Filesystem,
    on_disk: Option<OnDisk>,
    serving: Option<Serving>,
    unused: Option<Unused>,
}

/// `stayput mariadb continue`: what the unit runs.
///
/// # Errors
/// What stands in the way. The unit then has [`super::let_go`] put
/// things back.
pub fn go_on() -> Result<()> {
    let Some(journal) = Journal::read().map_err(paths::problem)? else {
        return Err(Problem::refused(
            "There is no run to go on with.",
            "Run: stayput mariadb enable",
        ));
    };
    if journal.stage == Stage::TakingBack {
        return going_back::go_back(&journal, &RunPaths::of_run(&journal));
    }
    let user = ServiceUser::find()?;
    let started = unit_start_command(&user)?;
    let known = match journal.stage {
        Stage::Building => Some(other_files::known(&client_of(&started)?)?),
        _ => None,
    };
    let paths = RunPaths::of_run(&journal);
    let filesystem = paths.filesystem().map_err(paths::problem)?;
    let mut run = Run {
        filesystem,
        paths,
        started,
        user,
        known,
        copied: None,
        on_disk: None,
        serving: None,
        unused: None,
        journal,
    };
    let (conversion, stage) = (run.journal.conversion, run.journal.stage);
    let mut holds = Holds::noted(conversion, stage);
    for step in steps(conversion, stage, run.journal.ends) {
        if let Some(fact) = holds.lacks(step) {
            // The plan's own tests exclude it.
            return Err(Problem::failed(
                format!("The step \"{step}\" was not taken: {fact:?} does not hold."),
                "Please report this to stayput's authors.",
            ));
        }
        run.refuse_in_an_alarm()?;
        run.take(step)?;
        holds.after(step);
    }
    dependent_units::start();
    paths::leave_room().map_err(paths::problem)?;
    if run.journal.ends != OriginalEnds::Now {
        original::tell_at_the_end(&run.journal);
    }
    Ok(())
}

impl Run {
    fn data(&self) -> &DataDirectory {
        &self.paths.data
    }

    fn conversion(&self) -> Conversion {
        self.journal.conversion
    }

    /// A thief gets no clear database: where one is being made, no gate asks later.
    fn refuse_in_an_alarm(&self) -> Result<()> {
        let is_open = self.conversion() == Conversion::Decrypt;
        if !is_open || self.journal.stage >= Stage::Waiting || !no_start::is_forbidden() {
            return Ok(());
        }
        Err(Problem::refused(
            "The keys were taken out of memory meanwhile: the database stays encrypted.",
            "Bring them back (`stayput release`), then run the command again.",
        ))
    }

    fn take(&mut self, step: Step) -> Result<()> {
        let io = paths::problem;
        match step {
            Step::Note(stage) => self.note(stage),
            Step::HoldUnits => start_prevention::mask_units(),
            Step::StopServer => self.stop(),
            Step::CoverOriginal => self.cover(),
            Step::Copy => self.copy(),
            Step::CarryOver => self.carry_over(),
            Step::Sync => {
                self.on_disk = Some(proofs::on_disk(&self.filesystem)?);
                Ok(())
            }
            Step::PutGateInFront => {
                gate_units::put_gate_in_front()?;
                original::put_unit(self.journal.ends)
            }
            Step::MoveOriginal => self.move_original(),
            Step::PlaceCopy => self.place_copy(),
            Step::Guard => self.data().guard(self.user.uid, self.user.gid).map_err(io),
            Step::WriteSettings => self.write_settings(),
            Step::RemoveSettings => self.remove_settings(),
            Step::TakeGateAway => gate_units::take_gate_away_but_in_an_alarm(),
            Step::SeeClear => refuse_encrypted_data(&client_of(&self.started)?),
            Step::SeeGate => {
                say("Looking whether the gate opens and closes.");
                proofs::gate_works(self.data())
            }
            Step::LetUnitsGo => start_prevention::unmask_units(),
            Step::StartServer => {
                say("Starting MariaDB.");
                mariadb_service::start_mariadb()?;
                match self.conversion() {
                    // One that ran already does not start, and has read its keys.
                    Conversion::Encrypt => key_release::remove_if_read(),
                    // They are the way back until it was seen to serve.
                    Conversion::Decrypt => Ok(()),
                }
            }
            Step::ProveServing => {
                self.serving = Some(proofs::serving(self.paths.home_of_copy())?);
                Ok(())
            }
            Step::ProveUnused => {
                let original = self.original()?.data();
                self.unused = Some(proofs::unused(&original)?);
                Ok(())
            }
            Step::ProveCounts => self.prove_counts(),
            Step::KeepOtherFiles => self.keep_other_files(),
            Step::Destroy => self.destroy(),
            Step::End => original::end(),
        }
    }

    fn note(&mut self, stage: Stage) -> Result<()> {
        if stage == Stage::Starting {
            self.journal.since = clock::now();
            self.journal.boot = paths::boot_id();
        }
        if stage == Stage::Waiting && self.conversion() == Conversion::Decrypt {
            // No release of this boot proves it: it takes another start of the server.
            self.journal.boot = paths::boot_id();
            gate_units::let_start_in_an_alarm()?;
        }
        self.journal.reach(stage).map_err(paths::problem)?;
        if stage >= Stage::Starting {
            // Until then an interruption is undone: the copy goes back into it.
            let making = MarkedRoom::find(&self.paths.making, self.journal.run);
            if let Some(making) = making.map_err(paths::problem)? {
                making.delete().map_err(paths::problem)?;
            }
        }
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        stop_alone(self.data())?;
        nobody_in(&self.original_now()?, &[])
    }
}
