//! Lets the database behind the gate and the wanted one change places.

use std::fs;

use crate::admin::durable::sync_directory;
use crate::admin::mariadb::enable::{dependent_units, preflight, start_prevention};
use crate::admin::mariadb::occupants;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};
use crate::sys::at_end::{put_back_at_end, undivided};
use crate::sys::exchange::exchange;

use super::journal::Stage;
use super::plan::{AfterFailure, CHANGE, Room, SERVE, Step, after_failure};
use super::role::Role;
use super::{Run, clear, not_there, say};

impl Run {
    /// Lets the two change places and MariaDB serve.
    pub(super) fn switch(&mut self) -> Result<()> {
        self.go_through(CHANGE.into_iter().chain(SERVE))
    }

    /// Takes these steps. Where one fails, MariaDB is made to serve all the same, from what
    /// [`after_failure`] says. A signal that would end this process waits until MariaDB serves.
    pub(super) fn go_through(&mut self, steps: impl IntoIterator<Item = Step>) -> Result<()> {
        let _whole = undivided();
        let Err((failed, problem)) = self.take_all(steps) else {
            return Ok(());
        };
        let is_exchanged = self.is_exchanged().unwrap_or(true);
        match after_failure(failed, is_exchanged, self.journal.served) {
            AfterFailure::GoOn => Err(self.go_on(problem)),
            AfterFailure::GoBack => Err(self.go_back(problem)),
            AfterFailure::Stay => {
                if !matches!(failed, Step::StartServer | Step::SeeServing) {
                    self.start_what_can();
                }
                Err(self.where_it_stands(problem))
            }
        }
    }

    fn take_all(
        &mut self,
        steps: impl IntoIterator<Item = Step>,
    ) -> std::result::Result<(), (Step, Problem)> {
        let mut steps = steps.into_iter();
        steps.try_for_each(|step| self.take(step).map_err(|problem| (step, problem)))
    }

    /// They have not changed places: what was there goes on.
    fn go_on(&mut self, problem: Problem) -> Problem {
        let _ = self.take(Step::LetUnitsGo);
        if self.serves {
            let started = self.take(Step::StartServer);
            if let Err(more) = started {
                say(more.to_string());
            }
        }
        let _ = self.take(Step::StartDependents);
        let aside = self.places.aside(self.journal.run);
        let settled = match (aside, self.journal.wanted) {
            // It was made for this alone, and was never started in its place.
            (Ok(Some((Room::Making, Role::Restored))), Role::Restored) => {
                self.drop_unfinished().and_then(|()| clear())
            }
            _ => {
                self.journal.wanted = self.journal.wanted.other();
                self.note(Stage::Done)
            }
        };
        if let Err(more) = settled {
            say(more.to_string());
        }
        let what = format!(
            "{} The two databases have not changed places.",
            problem.what
        );
        Problem { what, ..problem }
    }

    /// The one that served before gets its place back. The wanted one is kept: it was
    /// started, and somebody may have written into it.
    fn go_back(&mut self, problem: Problem) -> Problem {
        let tried = self.journal.wanted;
        say(format!(
            "MariaDB does not serve {tried}; going back to the one that was there."
        ));
        self.journal.wanted = tried.other();
        // The one that is left did not serve.
        self.journal.served = false;
        // A full disk takes no note, and may be why it does not serve: MariaDB is to serve
        // again all the same.
        if let Err(more) = self.note(Stage::Switching) {
            say(more.to_string());
        }
        match self.take_all(CHANGE.into_iter().chain(SERVE)) {
            Ok(()) => Problem {
                what: format!(
                    "{} The database that was there serves again; {tried} is kept, closed.",
                    problem.what
                ),
                next: format!(
                    "{} To remove what is kept: stayput restore --remove-old",
                    problem.next
                ),
                ..problem
            },
            Err((_, more)) => {
                say(more.to_string());
                self.start_what_can();
                self.where_it_stands(problem)
            }
        }
    }

    /// Whatever else went wrong, nothing stays stopped that can start.
    fn start_what_can(&mut self) {
        let _ = self.take(Step::LetUnitsGo);
        if self.take(Step::StartServer).is_ok() {
            let _ = self.take(Step::StartDependents);
        }
    }

    /// The problem, with which of the two lies behind the gate.
    fn where_it_stands(&self, problem: Problem) -> Problem {
        let behind = self.places.behind(self.journal.run).ok().flatten();
        let behind = behind.map_or("neither of the two".to_owned(), |role| role.to_string());
        Problem {
            what: format!("{} Behind the gate lies {behind}.", problem.what),
            next: format!(
                "{} Then run the command again. To change to the other of the two: stayput \
                 restore --undo",
                problem.next
            ),
            ..problem
        }
    }

    fn is_exchanged(&self) -> Result<bool> {
        let behind = self.places.behind(self.journal.run)?;
        Ok(behind == Some(self.journal.wanted))
    }

    /// Takes one step; a step that is done already is done once more.
    fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::HoldUnits => {
                self.held = Some(put_back_at_end(|| {
                    let _ = start_prevention::unmask_units();
                }));
                start_prevention::mask_units()
            }
            Step::StopServer => self.stop(),
            Step::Exchange => self.exchange(),
            Step::LetUnitsGo => {
                self.held = None;
                start_prevention::unmask_units()
            }
            Step::StartServer => {
                say("Starting MariaDB.");
                mariadb_service::start_mariadb()
            }
            Step::SeeServing => serves_from(self.places.data.real()).map(drop),
            Step::NameKept => self.name_kept(),
            Step::Note(stage) => self.note(stage),
            Step::StartDependents => {
                dependent_units::start();
                // Behind that: what they are is noted in there.
                let _ = paths::leave_room();
                Ok(())
            }
            Step::DropUnfinished | Step::Make | Step::MarkBoth | Step::Sync => Ok(()),
        }
    }

    fn stop(&self) -> Result<()> {
        say("Stopping MariaDB.");
        dependent_units::note();
        mariadb_service::stop_units()?;
        preflight::no_other_server()?;
        // The gate's own line may be lost to systemd: the unit is masked by now.
        self.places.data.close_if_open().map_err(paths::problem)?;
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
        if self.is_exchanged()? {
            return Ok(());
        }
        let wanted = self.journal.wanted;
        let real = self.places.data.real();
        let (_, room) = self.places.room(self.journal.run)?.ok_or_else(not_there)?;
        if Role::of(&room.data(), self.journal.run).map_err(io)? != Some(wanted) {
            return Err(not_there());
        }
        // Somebody may have removed it meanwhile.
        if !real.exists() {
            self.mark_behind(wanted.other())?;
        }
        exchange(&room.data(), real).map_err(io)?;
        sync_directory(&room.data()).map_err(io)?;
        sync_directory(real).map_err(io)
    }

    /// From then on it is known as one that is kept.
    pub(super) fn name_kept(&self) -> Result<()> {
        let io = paths::problem;
        if let Some((Room::Making, _)) = self.places.room(self.journal.run)? {
            self.places.must_have_room_to_keep()?;
            let kept = &self.places.kept;
            fs::rename(&self.places.making, kept).map_err(io)?;
            sync_directory(kept).map_err(io)?;
        }
        Ok(())
    }
}
