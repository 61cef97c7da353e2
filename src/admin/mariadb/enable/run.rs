//! The work on the stopped server: takes the steps of the plan one by one, each
//! only when everything that it needs was seen.

use std::fs;
use std::path::{Path, PathBuf};

use crate::admin::durable::{Filesystem, remove_durably, write_durably};
use crate::admin::key_release;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{
    Copied, Counts, ROOM, Source, Starts, Stopped, proven_copy, refuse_encrypted_data, rows_lost,
};
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::gate_units;
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::occupants;
use crate::admin::mariadb::other_files::Known;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{SETTINGS_FILE, settings_file};
use crate::admin::mariadb_service::{self, CHECK_FILE};
use crate::admin::problem::{Problem, Result};
use crate::release::no_start;
use crate::sys::clock;

use super::copy_mounts::{CopyMounts, key_files};
use super::plan::{Holds, Step, steps};
use super::proofs::{self, OnDisk, Serving, Unused};
use super::start_prevention::{self, Cover};
use super::{client_of, dependent_units, original, other_files, preflight, say, undo};
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};

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
/// What stands in the way. The unit then has [`super::undo::let_go`] put
/// things back.
pub fn go_on() -> Result<()> {
    let Some(journal) = Journal::read().map_err(paths::problem)? else {
        return Err(Problem::refused(
            "There is no run to go on with.",
            "Run: stayput mariadb enable",
        ));
    };
    if journal.stage == Stage::TakingBack {
        return undo::go_back(&journal, &RunPaths::of_run(&journal));
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
            Step::TakeGateAway => gate_units::take_gate_away(),
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
        say("Stopping MariaDB.");
        dependent_units::note();
        mariadb_service::stop_units()?;
        preflight::no_other_server()?;
        if self.conversion() == Conversion::Decrypt {
            // The gate's own line may be lost to systemd: the unit is masked by now.
            self.data().close().map_err(paths::problem)?;
        }
        self.nobody_in(&self.original_now()?, &[])
    }

    /// Where the original lies: in its own place, or closed already.
    fn original_now(&self) -> Result<PathBuf> {
        let closed = MarkedRoom::find(&self.paths.original, self.journal.run);
        let closed = closed.map_err(paths::problem)?.map(|room| room.data());
        Ok(closed
            .filter(|data| data.exists())
            .unwrap_or_else(|| self.paths.home_of_original().to_owned()))
    }

    /// Where the copy lies: still where it was made, or in its place.
    fn copy_now(&self) -> Result<PathBuf> {
        let making = MarkedRoom::find(&self.paths.making, self.journal.run);
        let making = making.map_err(paths::problem)?.map(|room| room.data());
        Ok(making
            .filter(|data| data.exists())
            .unwrap_or_else(|| self.paths.home_of_copy().to_owned()))
    }

    fn nobody_in(&self, tree: &Path, ours: &[&Path]) -> Result<()> {
        let found = occupants::of(tree, ours).map_err(paths::problem)?;
        let Some(first) = found.first() else {
            return Ok(());
        };
        Err(Problem::refused(
            format!("{} is in use: {first}.", tree.display()),
            "End what uses it, then run the command again.",
        ))
    }

    /// From here on nobody finds the original by its path. Who found it just
    /// before is seen by the second look.
    fn cover(&self) -> Result<()> {
        let cover = Cover::of(self.paths.home_of_original());
        cover.put().map_err(paths::problem)?;
        self.nobody_in(&cover.behind(), &[&cover.behind()])
    }

    fn copy(&mut self) -> Result<()> {
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

    fn carry_over(&self) -> Result<()> {
        let from = Cover::of(self.paths.home_of_original()).behind();
        let Some(known) = &self.known else {
            return Err(Problem::failed(
                "MariaDB was not asked for its files.",
                "Please report this to stayput's authors.",
            ));
        };
        other_files::carry_over(known, &from, &self.copy_now()?)
    }

    fn move_original(&mut self) -> Result<()> {
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
        self.nobody_in(&room.data(), &[])
    }

    fn place_copy(&self) -> Result<()> {
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
        self.copy_is_there()
    }

    /// MariaDB would make an empty database where there is none.
    fn copy_is_there(&self) -> Result<()> {
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

    fn write_settings(&self) -> Result<()> {
        let io = paths::problem;
        self.copy_is_there()?;
        let check = fs::read(check_text()).map_err(io)?;
        write_durably(Path::new(SETTINGS_FILE), settings_file().as_bytes()).map_err(io)?;
        // A second one goes where the data goes: on a system that was
        // installed anew it tells whose the data is.
        write_durably(&paths::check_beside(self.data()), &check).map_err(io)?;
        write_durably(Path::new(CHECK_FILE), &check).map_err(io)
    }

    fn remove_settings(&self) -> Result<()> {
        self.copy_is_there()?;
        for file in [SETTINGS_FILE, CHECK_FILE] {
            remove_durably(Path::new(file)).map_err(paths::problem)?;
        }
        Ok(())
    }

    fn original(&self) -> Result<MarkedRoom> {
        let room = MarkedRoom::find(&self.paths.original, self.journal.run);
        room.map_err(paths::problem)?.ok_or_else(|| {
            Problem::failed(
                format!("{} is not there.", self.paths.original.display()),
                "Was it moved? Move it back and run the command again. If it was removed, \
                 `stayput mariadb destroy-original` ends the run.",
            )
        })
    }

    fn prove_counts(&mut self) -> Result<()> {
        say("Counting the rows once more.");
        let (known, starts) = match &self.copied {
            Some(copied) => (Counts::of(&copied.inventory), Starts::First),
            None => {
                let text = fs::read_to_string(self.original()?.file(COUNTS));
                let known = text.and_then(|text| Counts::parse(&text));
                (known.map_err(paths::problem)?, Starts::Later)
            }
        };
        let lacking = rows_lost(&client_of(&self.started)?, &known, starts)?;
        let Some(first) = lacking.first() else {
            return Ok(());
        };
        let what = format!(
            "{} tables do not have the rows that they had; the first is {first}.",
            lacking.len()
        );
        if self.journal.ends == OriginalEnds::Never {
            say(what);
            return Ok(());
        }
        // Whoever worked in it since may have deleted them, and has no other way on.
        if self.conversion() == Conversion::Decrypt && matches!(starts, Starts::Later) {
            say(what);
            say(
                "The encrypted original is kept until you end it: `stayput mariadb \
                 destroy-original`, or go back to it: `stayput mariadb disable --undo`.",
            );
            self.journal.ends = OriginalEnds::Never;
            return self.journal.write().map_err(paths::problem);
        }
        Err(Problem::failed(
            what,
            match self.conversion() {
                Conversion::Encrypt => {
                    "The clear original is kept. If these rows were deleted since, run `stayput \
                     mariadb enable --keep-original`; else go back: `stayput mariadb enable --undo`."
                }
                Conversion::Decrypt => {
                    "The encrypted original is kept. Go back: `stayput mariadb disable --undo`."
                }
            },
        ))
    }

    fn keep_other_files(&mut self) -> Result<()> {
        let original = self.original()?.data();
        let known = match self.known.take() {
            Some(known) => known,
            // The copy has the same tables.
            None => other_files::known(&client_of(&self.started)?)?,
        };
        other_files::keep(&known, &original, self.data().seen(), self.journal.since)
    }

    fn destroy(&mut self) -> Result<()> {
        let all = (
            self.on_disk.take(),
            self.serving.take(),
            self.unused.take(),
            proofs::noted(&self.journal),
        );
        let (Some(on_disk), Some(serving), Some(unused), Some(noted)) = all else {
            return Err(Problem::failed(
                "The original was not destroyed: not everything was seen.",
                "Please report this to stayput's authors.",
            ));
        };
        let permit = proofs::MayDestroy::with(&on_disk, &serving, &unused, &noted);
        original::destroy(self.original()?, self.conversion(), permit)
    }
}
