//! The steps of a move while MariaDB is stopped, as data, so that their order can be
//! tested without a server: wherever the power goes, a start of MariaDB is refused or
//! finds its data with the right keys.

/// One step of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The settings name the owner's key file: the gate refuses these.
    NameKeyFile,
    /// The data gets the place where MariaDB looks for it.
    MoveOut,
    RemoveCheckFile,
    /// A start asks for the key file instead.
    TakeGateAway,
    PutGateInFront,
    /// The data gets its place behind the gate, unless it lies there.
    MoveBack,
    /// Where MariaDB looks nobody can write.
    Guard,
    /// The settings name the keys in memory.
    NameReleasedKeys,
    WriteCheckFile,
    Start,
    SeeItServe,
    EraseKeyFile,
    EndJournal,
}

impl Step {
    /// Whether it may be taken; `is_held` while no start of MariaDB may begin.
    pub fn is_allowed(self, is_held: bool) -> bool {
        !is_held || !matches!(self, Self::TakeGateAway | Self::Start)
    }
}

/// From behind the gate.
pub const OUT: [Step; 7] = [
    Step::NameKeyFile,
    Step::MoveOut,
    Step::RemoveCheckFile,
    Step::TakeGateAway,
    Step::Start,
    Step::SeeItServe,
    Step::EndJournal,
];

/// The end of a way back that failed while the data still lay outside.
pub const OUT_AGAIN: [Step; 5] = [
    Step::RemoveCheckFile,
    Step::TakeGateAway,
    Step::Start,
    Step::SeeItServe,
    Step::EndJournal,
];

/// Behind the gate, from wherever a move has got to.
pub const BACK: [Step; 5] = [
    Step::PutGateInFront,
    Step::MoveBack,
    Step::Guard,
    Step::NameReleasedKeys,
    Step::WriteCheckFile,
];

/// The end of every way back. By the start the gate has proved the keys in memory: before
/// it nobody knows whether the vault still has them, and the owner's key file stays.
pub const END_OF_BACK: [Step; 3] = [Step::Start, Step::EraseKeyFile, Step::EndJournal];

#[cfg(test)]
mod tests {
    use super::*;

    /// What is there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Server {
        names_key_file: bool,
        is_out: bool,
        guarded: bool,
        check_file: bool,
        gate: bool,
        key_file: bool,
        journal: bool,
        /// The right keys are in memory.
        released: bool,
    }

    /// Before a move, and after the way back from it.
    const BEHIND: Server = Server {
        names_key_file: false,
        is_out: false,
        guarded: true,
        check_file: true,
        gate: true,
        key_file: false,
        journal: false,
        released: true,
    };

    /// A move has begun: its journal and the key file are written.
    const BEGUN: Server = Server {
        key_file: true,
        journal: true,
        ..BEHIND
    };

    impl Server {
        /// The steps end with a start that fails.
        fn after(mut self, steps: &[Step]) -> Self {
            for step in steps {
                match step {
                    Step::NameKeyFile => self.names_key_file = true,
                    Step::MoveOut => (self.is_out, self.guarded) = (true, false),
                    Step::RemoveCheckFile => self.check_file = false,
                    Step::TakeGateAway => self.gate = false,
                    Step::PutGateInFront => self.gate = true,
                    Step::MoveBack => self.is_out = false,
                    Step::Guard => self.guarded = true,
                    Step::NameReleasedKeys => self.names_key_file = false,
                    Step::WriteCheckFile => self.check_file = true,
                    Step::Start if self.starts() == Ok(true) => {}
                    Step::Start => return self,
                    Step::SeeItServe => {}
                    Step::EraseKeyFile => self.key_file = false,
                    Step::EndJournal => self.journal = false,
                }
            }
            self
        }

        fn after_the_way_back(self) -> Self {
            self.after(&BACK).after(&END_OF_BACK)
        }

        /// Whether MariaDB starts now; an error where it would with other keys than
        /// those of its data, or make an empty database.
        fn starts(self) -> Result<bool, Self> {
            match self {
                // The gate looks at all of them.
                Self { gate: true, .. } => {
                    Ok(self.check_file && !self.is_out && !self.names_key_file && self.released)
                }
                Self { is_out: true, .. } if self.names_key_file => Ok(self.key_file),
                Self { guarded: true, .. } => Ok(false),
                _ => Err(self),
            }
        }
    }

    /// Every state that a power cut can leave, of a move, of the way back from it, and of
    /// the way back once more; with the right keys in memory, and without.
    fn all_that_a_power_cut_leaves() -> Vec<Server> {
        let mut states = Vec::new();
        for out in 0..=OUT.len() {
            let done = BEGUN.after(&OUT[..out]);
            // Half of it: the guard is gone first.
            let half = Server {
                guarded: done.guarded && OUT.get(out) != Some(&Step::MoveOut),
                ..done
            };
            for cut in [done, half] {
                for released in [true, false] {
                    let cut = Server { released, ..cut };
                    for back in 0..=BACK.len() {
                        let again = cut.after(&BACK[..back]);
                        states.extend((0..=BACK.len()).map(|more| again.after(&BACK[..more])));
                    }
                    states.push(cut.after_the_way_back());
                }
            }
        }
        states
    }

    #[test]
    fn power_cut_never_lets_mariadb_start_wrongly() {
        for state in all_that_a_power_cut_leaves() {
            assert!(state.starts().is_ok(), "{state:?}");
        }
    }

    #[test]
    fn mariadb_starts_at_both_ends_and_every_way_leads_back() {
        assert_eq!(BEHIND.starts(), Ok(true));
        let out = BEGUN.after(&OUT);
        assert_eq!(out.starts(), Ok(true));
        assert!(out.key_file && !out.journal);
        for state in all_that_a_power_cut_leaves() {
            let released = Server {
                released: true,
                ..state
            };
            assert_eq!(released.after_the_way_back(), BEHIND, "{state:?}");
        }
    }

    #[test]
    fn data_that_cannot_be_moved_back_is_served_outside() {
        let states = all_that_a_power_cut_leaves().into_iter();
        let lies_outside = |state: &Server| state.is_out && state.names_key_file;
        for state in states.filter(lies_outside) {
            let ends = Server {
                released: true,
                ..state.after(&OUT_AGAIN)
            };
            assert_eq!(ends, BEGUN.after(&OUT), "{state:?}");
        }
    }

    #[test]
    fn key_file_stays_while_the_vault_has_not_shown_its_keys() {
        let states = all_that_a_power_cut_leaves().into_iter();
        for state in states.filter(|state| !state.released) {
            let tried = state.after_the_way_back();
            assert!(tried.key_file, "{state:?}");
            assert_eq!(tried.journal, state.journal, "{state:?}");
        }
    }

    #[test]
    fn alarm_meanwhile_ends_the_move_before_mariadb_can_start() {
        for step in OUT {
            let opens = [Step::TakeGateAway, Step::Start].contains(&step);
            assert_eq!(step.is_allowed(true), !opens, "{step:?}");
            assert!(step.is_allowed(false));
        }
    }
}
