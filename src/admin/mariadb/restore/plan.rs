//! The steps of a restore, as data, and what follows where one of them fails or the power goes:
//! the old database or the restored one lies behind the gate, whole; no step removes the old
//! one; and none that people may have written into is removed or exchanged unasked.

use super::journal::Stage;
use super::role::Role;

/// One step. A step that is done already is done once more, without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The journal says so, on the disk.
    Note(Stage),
    /// What an interrupted restore has made goes.
    DropUnfinished,
    /// The restored database is made in a room of its own, and its rows are counted.
    Make,
    /// Each of the two says which it is.
    MarkBoth,
    /// All of it is on the disk.
    Sync,
    /// Nothing starts MariaDB.
    HoldUnits,
    StopServer,
    /// The wanted database and the other one change places, in one step.
    Exchange,
    LetUnitsGo,
    StartServer,
    SeeServing,
    /// The room with the other one gets the name under which it is kept.
    NameKept,
    /// What systemd has stopped with MariaDB: people write again.
    StartDependents,
}

/// Makes the restored database, beside the one that is there.
pub const BUILD: [Step; 6] = [
    Step::DropUnfinished,
    Step::Note(Stage::Building),
    Step::Make,
    Step::MarkBoth,
    Step::Sync,
    Step::Note(Stage::Switching),
];

/// Lets the two change places: the restored one and the old one, or the other way round.
pub const CHANGE: [Step; 3] = [Step::HoldUnits, Step::StopServer, Step::Exchange];

/// MariaDB serves the one that lies behind the gate.
pub const SERVE: [Step; 6] = [
    Step::LetUnitsGo,
    Step::StartServer,
    Step::SeeServing,
    Step::NameKept,
    Step::Note(Stage::Done),
    Step::StartDependents,
];

/// Where the database lies that is not behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Where the restored one was made.
    Making,
    /// Where it is kept.
    Kept,
}

/// What an interruption has left of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The restored one never came behind the gate, and people have gone on with the one that
    /// is there, for days perhaps: it is made anew, and asked for anew.
    NotBegun,
    /// The wanted one lies behind the gate, and was not seen to serve.
    Exchanged,
    /// They were to change places once more, and did not: the other one is kept as before.
    Kept,
}

/// What an interruption has left of a switch to `wanted`, by what lies behind the gate and
/// beside it. What is neither of the two is `None`.
pub fn standing(wanted: Role, behind: Option<Role>, aside: Option<(Room, Role)>) -> Standing {
    match (behind, aside) {
        (Some(behind), _) if behind == wanted => Standing::Exchanged,
        (_, Some((Room::Making, Role::Restored))) if wanted == Role::Restored => Standing::NotBegun,
        _ => Standing::Kept,
    }
}

/// What follows where a step of a switch has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// They have not changed places: MariaDB goes on with the one that is there.
    GoOn,
    /// The other one served before: it gets its place back, and the wanted one is kept.
    GoBack,
    /// The wanted one stays behind the gate: people may write into it, or the other one did
    /// not serve either.
    Stay,
}

/// What follows where `failed` has failed. `served`: MariaDB served from the other one before.
pub fn after_failure(failed: Step, is_exchanged: bool, served: bool) -> AfterFailure {
    match failed {
        Step::NameKept | Step::Note(_) | Step::StartDependents => AfterFailure::Stay,
        _ if !is_exchanged => AfterFailure::GoOn,
        _ if served => AfterFailure::GoBack,
        _ => AfterFailure::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on the disk. Databases are told by their roles.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Disk {
        behind_the_gate: Role,
        /// People have written into it since the last stop.
        written: bool,
        /// `None` in it: half made, or not marked yet.
        making: Option<Option<Role>>,
        kept: Option<Role>,
        stage: Option<Stage>,
        wanted: Role,
        is_synced: bool,
    }

    const BEFORE: Disk = Disk {
        behind_the_gate: Role::Before,
        written: true,
        making: None,
        kept: None,
        stage: None,
        wanted: Role::Restored,
        is_synced: false,
    };

    impl Disk {
        fn after(mut self, step: Step) -> Self {
            match step {
                Step::Note(stage) => self.stage = Some(stage),
                Step::DropUnfinished => {
                    assert_ne!(self.making, Some(Some(Role::Before)), "{self:?}");
                    self.making = None;
                }
                Step::Make => (self.making, self.is_synced) = (Some(None), false),
                Step::MarkBoth => self.making = Some(Some(Role::Restored)),
                Step::Sync => self.is_synced = true,
                Step::StopServer => self.written = false,
                Step::Exchange if self.behind_the_gate == self.wanted => {}
                Step::Exchange => {
                    assert!(!self.written, "nobody's rows go out of service: {self:?}");
                    let behind = self.behind_the_gate;
                    let other = match &mut self.making {
                        Some(room) => room.replace(behind),
                        None => self.kept.replace(behind),
                    };
                    self.behind_the_gate = other.unwrap();
                }
                Step::NameKept => {
                    if let Some(made) = self.making.take() {
                        assert_eq!(self.kept, None);
                        self.kept = made;
                    }
                }
                Step::StartServer | Step::StartDependents => self.written = true,
                _ => {}
            }
            self
        }

        fn through(self, steps: &[Step]) -> Self {
            steps.iter().fold(self, |disk, step| disk.after(*step))
        }

        /// All that a cut in `steps` can leave.
        fn cuts(self, steps: &[Step]) -> Vec<Self> {
            let ends = (0..=steps.len()).map(|end| self.through(&steps[..end]));
            ends.collect()
        }

        fn standing(self) -> Standing {
            let making = self.making.flatten().map(|role| (Room::Making, role));
            let aside = making.or(self.kept.map(|role| (Room::Kept, role)));
            standing(self.wanted, Some(self.behind_the_gate), aside)
        }

        /// What the next `stayput restore` does; people have written meanwhile.
        fn taken_up(self) -> Self {
            let disk = Self {
                written: true,
                ..self
            };
            let anew = [&BUILD[..], &switch()].concat();
            match disk.stage {
                None | Some(Stage::Building) => disk.through(&anew),
                Some(Stage::Done | Stage::Removing) => disk,
                Some(Stage::Switching) => match disk.standing() {
                    Standing::NotBegun => disk.through(&anew),
                    Standing::Exchanged => disk.through(&SERVE),
                    Standing::Kept => disk,
                },
            }
        }
    }

    fn switch() -> Vec<Step> {
        [&CHANGE[..], &SERVE].concat()
    }

    fn all() -> Vec<Step> {
        [&BUILD[..], &switch()].concat()
    }

    #[test]
    fn restored_database_is_behind_the_gate_and_the_old_one_kept() {
        let done = BEFORE.through(&all());
        assert_eq!(done.behind_the_gate, Role::Restored);
        assert_eq!((done.kept, done.making), (Some(Role::Before), None));
    }

    #[test]
    fn no_cut_leaves_anything_but_the_old_or_the_new() {
        for cut in BEFORE.cuts(&all()) {
            let is_old_there = cut.behind_the_gate == Role::Before
                || cut.making == Some(Some(Role::Before))
                || cut.kept == Some(Role::Before);
            assert!(is_old_there, "{cut:?}");
            // What was not on the disk before it was noted may be torn after the cut.
            assert!(cut.stage != Some(Stage::Switching) || cut.is_synced);
        }
    }

    #[test]
    fn running_it_again_finishes_from_every_cut() {
        let done = BEFORE.through(&all());
        for cut in BEFORE.cuts(&all()) {
            assert_eq!(cut.taken_up(), done, "{cut:?}");
        }
    }

    #[test]
    fn cut_before_the_exchange_puts_no_old_backup_in_place_unasked() {
        for cut in BEFORE.cuts(&all()) {
            let is_exchanged = cut.behind_the_gate == Role::Restored;
            if cut.stage == Some(Stage::Switching) && !is_exchanged {
                assert_eq!(cut.standing(), Standing::NotBegun, "{cut:?}");
            }
        }
    }

    #[test]
    fn way_back_leads_to_the_old_one_or_has_not_begun() {
        let back = Disk {
            wanted: Role::Before,
            stage: Some(Stage::Switching),
            ..BEFORE.through(&all())
        };
        for cut in back.cuts(&switch()) {
            let done = cut.taken_up();
            match cut.behind_the_gate {
                Role::Before => assert_eq!(done.stage, Some(Stage::Done)),
                Role::Restored => assert_eq!(cut.standing(), Standing::Kept, "{cut:?}"),
            }
            assert_eq!(done.kept, Some(done.behind_the_gate.other()), "{cut:?}");
        }
    }

    #[test]
    fn going_back_that_is_cut_drops_no_database_of_before() {
        // The room has no other name yet: it failed before that.
        let failed = BEFORE.through(&all()[..BUILD.len() + CHANGE.len()]);
        let back = Disk {
            wanted: Role::Before,
            ..failed
        };
        for cut in back.cuts(&switch()) {
            assert_ne!(cut.standing(), Standing::NotBegun, "{cut:?}");
        }
    }

    #[test]
    fn what_may_have_been_written_into_stays_behind_the_gate() {
        use AfterFailure::{GoBack, GoOn, Stay};
        for step in CHANGE {
            assert_eq!(after_failure(step, false, true), GoOn, "{step:?}");
        }
        for step in [Step::Exchange, Step::LetUnitsGo, Step::StartServer] {
            assert_eq!(after_failure(step, true, true), GoBack, "{step:?}");
            assert_eq!(after_failure(step, true, false), Stay, "{step:?}");
        }
        for step in &SERVE[3..] {
            assert_eq!(after_failure(*step, true, true), Stay, "{step:?}");
        }
        // Nobody writes before it was noted that the restored one serves.
        let at = |wanted| SERVE.iter().position(|step| *step == wanted);
        assert!(at(Step::StartDependents) > at(Step::Note(Stage::Done)));
    }

    #[test]
    fn database_that_is_neither_of_the_two_drops_none_of_before() {
        let of = |wanted, aside| standing(wanted, None, aside);
        let restored = Some((Room::Making, Role::Restored));
        assert_eq!(of(Role::Restored, restored), Standing::NotBegun);
        assert_eq!(of(Role::Before, restored), Standing::Kept);
        let before = Some((Room::Making, Role::Before));
        assert_eq!(of(Role::Restored, before), Standing::Kept);
        assert_eq!(of(Role::Restored, None), Standing::Kept);
    }
}
