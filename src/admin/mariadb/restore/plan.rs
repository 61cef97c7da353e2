//! The steps of a restore, as data: whenever the power goes, the old database or the
//! restored one lies behind the gate, whole, and no step removes the old one.

use super::journal::Stage;

/// One step. A step that is done already is done once more, without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The journal says so, on the disk.
    Note(Stage),
    /// What an interrupted restore has made goes.
    DropUnfinished,
    /// The restored database is made in a room of its own, and its rows are counted.
    Make,
    /// All of it is on the disk.
    Sync,
    /// Nothing starts MariaDB.
    HoldUnits,
    StopServer,
    /// The wanted database and the other one change places, in one step.
    Exchange,
    /// The room with the other one gets the name under which it is kept.
    NameKept,
    LetUnitsGo,
    StartServer,
    SeeServing,
}

/// Makes the restored database, beside the one that is there.
pub const BUILD: [Step; 5] = [
    Step::DropUnfinished,
    Step::Note(Stage::Building),
    Step::Make,
    Step::Sync,
    Step::Note(Stage::Switching),
];

/// Lets the two change places: the restored one and the old one, or the other way round.
pub const SWITCH: [Step; 8] = [
    Step::HoldUnits,
    Step::StopServer,
    Step::Exchange,
    Step::NameKept,
    Step::LetUnitsGo,
    Step::StartServer,
    Step::SeeServing,
    Step::Note(Stage::Done),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Database {
        Old,
        Restored,
        /// Half made.
        Torn,
    }

    /// What is on the disk.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Disk {
        behind_the_gate: Database,
        making: Option<Database>,
        kept: Option<Database>,
        stage: Option<Stage>,
        wanted: Database,
        is_synced: bool,
    }

    const BEFORE: Disk = Disk {
        behind_the_gate: Database::Old,
        making: None,
        kept: None,
        stage: None,
        wanted: Database::Restored,
        is_synced: false,
    };

    impl Disk {
        fn after(mut self, step: Step) -> Self {
            match step {
                Step::Note(stage) => self.stage = Some(stage),
                Step::DropUnfinished => {
                    assert_ne!(self.making, Some(Database::Old), "{self:?}");
                    self.making = None;
                }
                Step::Make => (self.making, self.is_synced) = (Some(Database::Restored), false),
                Step::Sync => self.is_synced = true,
                Step::Exchange if self.behind_the_gate == self.wanted => {}
                Step::Exchange => {
                    let room = if self.making.is_some() {
                        &mut self.making
                    } else {
                        &mut self.kept
                    };
                    let other = room.replace(self.behind_the_gate);
                    self.behind_the_gate = other.unwrap();
                }
                Step::NameKept => {
                    if let Some(made) = self.making.take() {
                        assert_eq!(self.kept, None);
                        self.kept = Some(made);
                    }
                }
                _ => {}
            }
            self
        }

        fn through(self, steps: &[Step]) -> Self {
            steps.iter().fold(self, |disk, step| disk.after(*step))
        }

        /// All that a cut in `steps` can leave. Half of a database is there while it is made.
        fn cuts(self, steps: &[Step]) -> Vec<Self> {
            let mut cuts = vec![self];
            let mut disk = self;
            for step in steps {
                if *step == Step::Make {
                    let making = Some(Database::Torn);
                    cuts.push(Self { making, ..disk });
                }
                disk = disk.after(*step);
                cuts.push(disk);
            }
            cuts
        }

        /// What the next run of the command does.
        fn taken_up(self) -> Self {
            match self.stage {
                Some(Stage::Switching) => self.through(&SWITCH),
                Some(Stage::Done) => self,
                Some(Stage::Building) | None => self.through(&BUILD).through(&SWITCH),
            }
        }
    }

    fn all() -> Vec<Step> {
        [&BUILD[..], &SWITCH[..]].concat()
    }

    #[test]
    fn restored_database_is_behind_the_gate_and_the_old_one_kept() {
        let done = BEFORE.through(&all());
        assert_eq!(done.behind_the_gate, Database::Restored);
        assert_eq!((done.kept, done.making), (Some(Database::Old), None));
    }

    #[test]
    fn no_cut_leaves_anything_but_the_old_or_the_new() {
        for cut in BEFORE.cuts(&all()) {
            assert_ne!(cut.behind_the_gate, Database::Torn, "{cut:?}");
            let is_old_there =
                [Some(cut.behind_the_gate), cut.making, cut.kept].contains(&Some(Database::Old));
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
            // And a cut in that, too.
            if cut.stage == Some(Stage::Switching) {
                for again in cut.cuts(&SWITCH) {
                    assert_eq!(again.taken_up(), done, "{cut:?}, {again:?}");
                }
            }
        }
    }

    #[test]
    fn way_back_leads_to_the_old_one_from_every_cut() {
        let back = Disk {
            wanted: Database::Old,
            stage: Some(Stage::Switching),
            ..BEFORE.through(&all())
        };
        for cut in back.cuts(&SWITCH) {
            let done = cut.taken_up();
            assert_eq!(done.behind_the_gate, Database::Old, "{cut:?}");
            assert_eq!(done.kept, Some(Database::Restored), "{cut:?}");
        }
    }
}
