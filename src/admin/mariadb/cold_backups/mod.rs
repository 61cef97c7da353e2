//! Backups that copy the data directory. Behind the gate it is empty while
//! MariaDB is stopped, and so is what they copy; `rsync --delete` empties
//! yesterday's copy too. Such jobs are looked for by path.

mod matcher;
mod search;

use std::path::{Path, PathBuf};

use crate::admin::mariadb::check_file::load_check_file;
use crate::printable::Printable;

pub use search::find_cold_backups;

/// A line that names the data directory, or a directory above it, for a
/// backup. What else stands in the line is not taken along: it may be a
/// password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColdBackup {
    /// How much of it is about the database.
    pub covers: Covers,
    /// Where the job is written down.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// The data directory, or the directory above it that is named.
    pub path: PathBuf,
}

/// How much a backup is about the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covers {
    /// The data directory itself, or something in it.
    Data,
    /// The system, or a part of it with the data directory somewhere inside.
    System,
}

/// The backup jobs of this server that copy its data directory; none where
/// MariaDB is not encrypted.
pub fn of_this_server() -> Vec<ColdBackup> {
    load_check_file().map_or_else(
        |_| Vec::new(),
        |check| find_cold_backups(Path::new("/"), Path::new(check.data_directory())),
    )
}

/// A sentence on backups of the data directory, and one on backups of the whole
/// system. Each names the first few jobs.
pub fn sentences(found: &[ColdBackup]) -> [Option<String>; 2] {
    [Covers::Data, Covers::System].map(|covers| {
        let of: Vec<&ColdBackup> = found
            .iter()
            .filter(|backup| backup.covers == covers)
            .collect();
        let paths = of.first()?.path.display();
        let places = list_of(&of);
        Some(match covers {
            Covers::Data => format!(
                "These seem to back up {paths} by copying its files, which is empty while \
                 MariaDB is stopped, so the backup is empty then: {places}."
            ),
            Covers::System => format!(
                "These seem to back up the system; of the database they hold files that are \
                 worth nothing without its key, and broken ones while MariaDB runs: {places}."
            ),
        })
    })
}

/// What to do about both.
pub const NEXT: &str = "Back up the database by a dump: see docs/backup.md.";

fn list_of(found: &[&ColdBackup]) -> String {
    const SHOWN: usize = 5;
    let place = |backup: &&ColdBackup| {
        let file = backup.file.to_string_lossy();
        format!("{} line {}", Printable(&file), backup.line)
    };
    let first: Vec<String> = found.iter().take(SHOWN).map(place).collect();
    let text = first.join(", ");
    match found.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
