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
    TakeGateAway,
    PutGateInFront,
    /// The data gets its place behind the gate, unless it lies there.
    MoveBack,
    /// Where MariaDB looks nobody can write.
    Guard,
    /// The settings name the keys in memory.
    NameReleasedKeys,
    WriteCheckFile,
}

/// From behind the gate. With the last of them MariaDB can start again.
pub const OUT: [Step; 4] = [
    Step::NameKeyFile,
    Step::MoveOut,
    Step::RemoveCheckFile,
    Step::TakeGateAway,
];

/// Behind the gate, from wherever a move has got to. With the last of them the gate
/// lets MariaDB start again.
pub const BACK: [Step; 5] = [
    Step::PutGateInFront,
    Step::MoveBack,
    Step::Guard,
    Step::NameReleasedKeys,
    Step::WriteCheckFile,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on the disk.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Disk {
        names_key_file: bool,
        is_out: bool,
        guarded: bool,
        check_file: bool,
        gate: bool,
    }

    const BEHIND: Disk = Disk {
        names_key_file: false,
        is_out: false,
        guarded: true,
        check_file: true,
        gate: true,
    };

    impl Disk {
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
                }
            }
            self
        }

        /// Whether MariaDB starts now; an error where it would with other keys than
        /// those of its data, or make an empty database.
        fn starts(self) -> Result<bool, Self> {
            match self {
                // The gate looks at all of them.
                Self { gate: true, .. } => {
                    Ok(self.check_file && !self.is_out && !self.names_key_file)
                }
                Self { is_out: true, .. } if self.names_key_file => Ok(true),
                Self { guarded: true, .. } => Ok(false),
                _ => Err(self),
            }
        }
    }

    /// Every state that a power cut can leave, of a move, of the way back from it, and of
    /// the way back once more.
    fn all_that_a_power_cut_leaves() -> Vec<Disk> {
        let mut states = Vec::new();
        for out in 0..=OUT.len() {
            let done = BEHIND.after(&OUT[..out]);
            // Half of it: the guard is gone first.
            let half = Disk {
                guarded: done.guarded && OUT.get(out) != Some(&Step::MoveOut),
                ..done
            };
            for cut in [done, half] {
                for back in 0..=BACK.len() {
                    let again = cut.after(&BACK[..back]);
                    states.extend((0..=BACK.len()).map(|more| again.after(&BACK[..more])));
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
        assert_eq!(BEHIND.after(&OUT).starts(), Ok(true));
        for state in all_that_a_power_cut_leaves() {
            assert_eq!(state.after(&BACK), BEHIND);
        }
    }
}
