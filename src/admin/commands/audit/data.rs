//! What keeps the data from whoever reads this server's disk, besides the key: facts
//! and what they mean. Pure.

use super::judge::Coverage;

/// How the data stands on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFacts {
    /// The vault gives MariaDB keys.
    pub is_enabled: bool,
    /// The check file of the keys is there and can be read.
    pub has_check_file: bool,
    /// MariaDB takes its keys from a file on this server's disk.
    pub key_file: bool,
    /// The directory of the encrypted database holds something.
    pub has_data: bool,
    /// A MariaDB works in other files than the encrypted database.
    pub other_server: bool,
    /// Everything that the running MariaDB writes in the clear, in words; `None`
    /// where it has not answered.
    pub in_clear: Option<Vec<String>>,
    /// A clear copy of the database is there, or that cannot be told.
    pub clear_copy: bool,
    /// Memory can get onto the disk in clear: swap, hibernation, crash dumps.
    pub clear_memory: bool,
    /// Where the boot stage is.
    pub stage: StageFacts,
}

/// Whether the boot stage runs at the next boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFacts {
    /// The initramfs of each kernel that may start next holds it.
    InInitramfs,
    Missing,
    /// No initramfs could be looked into.
    Unknown,
}

impl Default for DataFacts {
    /// The worst case.
    fn default() -> Self {
        Self {
            is_enabled: false,
            has_check_file: false,
            key_file: false,
            has_data: false,
            other_server: false,
            in_clear: None,
            clear_copy: true,
            clear_memory: true,
            stage: StageFacts::Missing,
        }
    }
}

impl DataFacts {
    /// The gravest reason why the key alone does not keep the data from whoever reads
    /// the disk, and how much is left then; `None` where there is none.
    pub fn weakness(&self) -> Option<(Coverage, String)> {
        let bare = |why: &str| Some((Coverage::NotCovered, why.to_owned()));
        let partly = |why: &str| Some((Coverage::Partly, why.to_owned()));
        let stage = match self.stage {
            StageFacts::InInitramfs => None,
            StageFacts::Missing => partly("its boot stage is not in the initramfs: stayput check"),
            StageFacts::Unknown => {
                partly("whether its boot stage is in the initramfs could not be seen")
            }
        };
        match self {
            Self { key_file: true, .. } => {
                bare("the keys of its database are in a file on its disk: stayput status")
            }
            Self {
                is_enabled: false,
                has_check_file: false,
                ..
            } => bare("the database is not encrypted: stayput mariadb enable"),
            Self {
                clear_copy: true, ..
            } => bare("a clear copy of the database is on its disk: stayput status"),
            Self {
                has_check_file: false,
                ..
            } => bare("its check file is lost: nobody knows whether it is encrypted"),
            Self {
                other_server: true, ..
            } => bare("a MariaDB works in files that are not encrypted: stayput check"),
            Self {
                in_clear: Some(clear),
                ..
            } if !clear.is_empty() => {
                let count = clear.len();
                bare(&format!(
                    "{count} tables, settings or logs are in the clear: audit --all"
                ))
            }
            Self {
                clear_memory: true, ..
            } => bare("memory gets onto its disk in the clear (swap): stayput check"),
            Self {
                has_data: false, ..
            } => partly("the directory of its database is empty or missing: stayput check"),
            Self { in_clear: None, .. } => {
                partly("MariaDB did not say whether all of its tables are encrypted")
            }
            _ => stage,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// All that is needed is in place.
    pub fn encrypted() -> DataFacts {
        DataFacts {
            is_enabled: true,
            has_check_file: true,
            key_file: false,
            has_data: true,
            other_server: false,
            in_clear: Some(Vec::new()),
            clear_copy: false,
            clear_memory: false,
            stage: StageFacts::InInitramfs,
        }
    }

    fn coverage(facts: &DataFacts) -> Option<Coverage> {
        facts.weakness().map(|(coverage, _)| coverage)
    }

    #[test]
    fn each_thing_that_the_data_needs_counts_by_itself() {
        use Coverage::{NotCovered, Partly};
        assert_eq!(coverage(&encrypted()), None);
        assert_eq!(coverage(&DataFacts::default()), Some(NotCovered));
        type Spoil = fn(&mut DataFacts);
        let spoilt: [(Spoil, Coverage); 10] = [
            (|facts| facts.key_file = true, NotCovered),
            (|facts| facts.clear_copy = true, NotCovered),
            (|facts| facts.has_check_file = false, NotCovered),
            (|facts| facts.other_server = true, NotCovered),
            (
                |facts| facts.in_clear = Some(vec!["clinic.old".into()]),
                NotCovered,
            ),
            (|facts| facts.clear_memory = true, NotCovered),
            (|facts| facts.has_data = false, Partly),
            (|facts| facts.in_clear = None, Partly),
            (|facts| facts.stage = StageFacts::Missing, Partly),
            (|facts| facts.stage = StageFacts::Unknown, Partly),
        ];
        for (spoil, expected) in spoilt {
            let mut facts = encrypted();
            spoil(&mut facts);
            assert_eq!(coverage(&facts), Some(expected), "{facts:?}");
        }
    }

    #[test]
    fn the_gravest_weakness_is_the_one_that_is_told() {
        let facts = DataFacts {
            in_clear: None,
            clear_memory: true,
            stage: StageFacts::Missing,
            ..encrypted()
        };
        let (coverage, why) = facts.weakness().unwrap();
        assert_eq!(coverage, Coverage::NotCovered);
        assert!(why.contains("swap"), "{why}");
    }
}
