//! The original that a run has left, and what ends it.

use std::path::PathBuf;

use serde::Serialize;

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::timestamp::rfc3339;

use super::journal::{Journal, OriginalEnds, Stage};
use super::lost_journal;
use super::paths::RunPaths;

/// The database as it was before a run, beside the one that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// What the run makes of the database. The original of an encrypted one is a copy
    /// that anybody with the disk can read.
    pub conversion: Conversion,
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
    /// The next start of the server: where the copy is encrypted, through initramfs, key
    /// and gate.
    Boot,
    /// It is being destroyed.
    UnderWay,
    /// Its owner wanted it kept.
    Owner,
}

impl Original {
    #[cfg(test)]
    pub fn example() -> Self {
        Self {
            conversion: Conversion::Encrypt,
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
            conversion: journal.conversion,
            path: RunPaths::of_run(journal).original,
            since: (journal.since > 0).then_some(journal.since),
            ends,
        }
    }

    /// Whether a clear copy may lie beside an encrypted database.
    pub fn is_clear_copy(&self) -> bool {
        self.conversion == Conversion::Encrypt || self.ends == Ends::Run
    }

    /// What it is, in one sentence.
    pub fn what(&self) -> String {
        let command = self.conversion.command();
        let since = self
            .since
            .map(|since| format!(", since {}", rfc3339(since)));
        let since = since.unwrap_or_default();
        let path = self.path.display();
        match (self.conversion, self.ends) {
            (Conversion::Encrypt, Ends::Run) => {
                format!("`{command}` was interrupted; the database is in the clear.")
            }
            (Conversion::Decrypt, Ends::Run) => format!(
                "`{command}` was interrupted; a clear copy of the database may be on the disk."
            ),
            (Conversion::Encrypt, _) => {
                format!("A clear copy of the database is in {path}{since}.")
            }
            (Conversion::Decrypt, _) => format!(
                "The database is in the clear; the encrypted original is kept in {path}{since}."
            ),
        }
    }

    /// What ends it, in one sentence.
    pub fn next(&self) -> &'static str {
        match (self.conversion, self.ends) {
            (Conversion::Encrypt, Ends::Run) => {
                "Run `stayput mariadb enable` again: it goes on or undoes."
            }
            (Conversion::Decrypt, Ends::Run) => {
                "Run `stayput mariadb disable --clear` again: it goes on or undoes."
            }
            (Conversion::Encrypt, Ends::Boot) => {
                "It is destroyed by itself once the server has started again and MariaDB serves."
            }
            (Conversion::Decrypt, Ends::Boot) => {
                "It is removed by itself once the server has started again and MariaDB serves. \
                 Until then `stayput mariadb disable --undo` goes back to it."
            }
            (Conversion::Encrypt, Ends::UnderWay) => "It is being destroyed.",
            (Conversion::Decrypt, Ends::UnderWay) => "It is being removed.",
            (Conversion::Encrypt, Ends::Owner) => {
                "Destroy it when it is no longer needed: stayput mariadb destroy-original"
            }
            (Conversion::Decrypt, Ends::Owner) => {
                "Remove it when it is no longer needed: stayput mariadb destroy-original"
            }
        }
    }
}

/// The original of this server, if there is one.
///
/// # Errors
/// When the journal cannot be read: then nobody knows.
pub fn find() -> std::io::Result<Option<Original>> {
    let journal = lost_journal::read_or_reconstruct()?;
    // A rehearsal leaves the server as it was.
    let run = journal.filter(|journal| journal.stage != Stage::Rehearsing);
    Ok(run.as_ref().map(Original::of))
}
