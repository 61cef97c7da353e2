//! The clear original that a run has left, and what ends it.

use std::path::PathBuf;

use serde::Serialize;

use crate::admin::timestamp::rfc3339;

use super::journal::{Journal, OriginalEnds, Stage};
use super::lost_journal;
use super::paths::RunPaths;

/// A copy of the database that anybody with the disk can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearOriginal {
    /// The room that it lies in.
    pub path: PathBuf,
    /// Seconds since 1970; `None` where MariaDB still works in it.
    pub since: Option<u64>,
    /// What ends it.
    pub ends: Ends,
}

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// The run that was interrupted: it has to be run again.
    Run,
    /// The next start of the server through initramfs, key and gate.
    Boot,
    /// It is being destroyed.
    UnderWay,
    /// Its owner wanted it kept.
    Owner,
}

impl ClearOriginal {
    #[cfg(test)]
    pub fn example() -> Self {
        Self {
            path: "/var/lib/mysql.stayput".into(),
            since: Some(1_700_000_000),
            ends: Ends::UnderWay,
        }
    }

    /// The original that the journal tells of.
    pub fn of(journal: &Journal) -> Self {
        let ends = match (journal.stage, journal.ends) {
            (Stage::Destroying, _) => Ends::UnderWay,
            // With `Now`: stopped between the last proof and the destruction.
            (Stage::Waiting, OriginalEnds::AfterBoot | OriginalEnds::Now) => Ends::Boot,
            (Stage::Waiting, OriginalEnds::Never) => Ends::Owner,
            _ => Ends::Run,
        };
        Self {
            path: RunPaths::of(&journal.data).original,
            since: (journal.since > 0).then_some(journal.since),
            ends,
        }
    }

    /// What it is, in one sentence.
    pub fn what(&self) -> String {
        let path = self.path.display();
        match (self.ends, self.since) {
            (Ends::Run, _) => {
                "`stayput mariadb enable` was interrupted; the database is in the clear.".into()
            }
            (_, Some(since)) => format!(
                "A clear copy of the database is in {path}, since {}.",
                rfc3339(since)
            ),
            (_, None) => format!("A clear copy of the database is in {path}."),
        }
    }

    /// What ends it, in one sentence.
    pub fn next(&self) -> &'static str {
        match self.ends {
            Ends::Run => "Run `stayput mariadb enable` again: it goes on or undoes.",
            Ends::Boot => {
                "It is destroyed by itself once the server has started again and MariaDB serves."
            }
            Ends::UnderWay => "It is being destroyed.",
            Ends::Owner => {
                "Destroy it when it is no longer needed: stayput mariadb destroy-original"
            }
        }
    }
}

/// The clear original of this server, if there is one.
///
/// # Errors
/// When the journal cannot be read: then nobody knows.
pub fn find() -> std::io::Result<Option<ClearOriginal>> {
    let journal = lost_journal::read_or_reconstruct()?;
    // A rehearsal leaves the server as it was.
    let run = journal.filter(|journal| journal.stage != Stage::Rehearsing);
    Ok(run.as_ref().map(ClearOriginal::of))
}
