//! How far `enable` came, on disk, so that a power cut in the middle leaves
//! something that the next run can finish or undo.

use std::fs;
use std::io;
use std::path::Path;

use crate::admin::mariadb::durable::{sync_directory, write_durably};

const FILE: &str = "/var/lib/stayput/mariadb.enable";

/// From which point a run was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The new data directory is being made; the original is in use. The next
    /// run throws the new one away.
    Building,
    /// The new one holds everything, proven by the comparison, and takes the
    /// original's place. The next run goes on.
    Switching,
    /// The new one is in use; the original is being destroyed. The next run
    /// goes on.
    Destroying,
}

impl Stage {
    const ALL: [(Self, &str); 3] = [
        (Self::Building, "building\n"),
        (Self::Switching, "switching\n"),
        (Self::Destroying, "destroying\n"),
    ];

    /// The stage of an interrupted run; None when there was none.
    ///
    /// # Errors
    /// What the filesystem says; also when the file holds something else.
    pub fn read() -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known
            .map(|(stage, _)| Some(*stage))
            .ok_or_else(|| io::Error::other(format!("{FILE} makes no sense")))
    }

    /// # Errors
    /// What the filesystem says.
    pub fn write(self) -> io::Result<()> {
        let (_, word) = Self::ALL
            .iter()
            .find(|(stage, _)| *stage == self)
            .expect("every stage has a word");
        write_durably(Path::new(FILE), word.as_bytes())
    }

    /// # Errors
    /// What the filesystem says.
    pub fn clear() -> io::Result<()> {
        match fs::remove_file(FILE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_directory(Path::new(FILE)),
        }
    }
}
