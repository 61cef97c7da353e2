//! The journal of a move between the gate and a key file of the owner's, on disk, so
//! that a move that was cut off is put back.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::admin::durable::{remove_durably, write_durably};
use crate::admin::problem::{Problem, Result as Done};

const FILE: &str = "/var/lib/stayput/mariadb.disable";
const FIRST_LINE: &str = "stayput mariadb disable 1";

/// Which way the database goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From behind the gate to a key file of the owner's.
    Out,
    /// From such a key file behind the gate again.
    Back,
}

/// One move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Which way it goes.
    pub direction: Direction,
    /// The data directory as MariaDB sees it.
    pub data: PathBuf,
    /// The owner's key file.
    pub key_file: PathBuf,
}

impl Journal {
    /// The journal of a move that has not ended; `None` when there is none.
    ///
    /// # Errors
    /// What the filesystem says; also when the file holds something else.
    pub fn read() -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let wrong = || io::Error::other(format!("{FILE} is damaged"));
        Self::parse(&text).map(Some).ok_or_else(wrong)
    }

    /// [`Journal::read`], for a command that goes by it.
    ///
    /// # Errors
    /// When it cannot be read; with what to do.
    pub fn read_or_refuse() -> Done<Option<Self>> {
        Self::read().map_err(unreadable)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return None;
        }
        let mut next = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let journal = Self {
            direction: match next("direction")? {
                "out" => Direction::Out,
                "back" => Direction::Back,
                _ => return None,
            },
            data: next("data")?.into(),
            key_file: next("key-file")?.into(),
        };
        let whole = lines.next() == Some("end") && lines.next().is_none();
        let absolute = journal.data.is_absolute() && journal.key_file.is_absolute();
        (whole && absolute).then_some(journal)
    }

    fn text(&self) -> String {
        let direction = match self.direction {
            Direction::Out => "out",
            Direction::Back => "back",
        };
        format!(
            "{FIRST_LINE}\ndirection {direction}\ndata {}\nkey-file {}\nend\n",
            self.data.display(),
            self.key_file.display()
        )
    }

    /// Writes the journal durably.
    ///
    /// # Errors
    /// What the filesystem says; also when a path cannot be written in one line.
    pub fn write(&self) -> io::Result<()> {
        let text = self.text();
        if Self::parse(&text).as_ref() != Some(self) {
            return Err(ErrorKind::InvalidInput.into());
        }
        write_durably(Path::new(FILE), text.as_bytes())
    }

    /// Removes the journal: the move has ended.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn clear() -> io::Result<()> {
        remove_durably(Path::new(FILE)).map(drop)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> Problem {
    Problem::refused(
        format!("What `stayput mariadb disable` had begun cannot be read: {error}."),
        format!(
            "If it stays so, remove the file (`rm {FILE}`) and run `stayput mariadb enable`, \
             which puts the database behind the gate. A key file that the run has written stays: \
             remove it then."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_journal_is_named_with_what_to_do() {
        let problem = unreadable(io::Error::other("damaged"));
        assert!(problem.next.contains(&format!("rm {FILE}")), "{problem}");
        assert!(problem.next.contains("stayput mariadb enable"), "{problem}");
    }

    #[test]
    fn a_journal_that_was_cut_is_not_believed() {
        for direction in [Direction::Out, Direction::Back] {
            let journal = Journal {
                direction,
                data: "/srv/my data/mysql".into(),
                key_file: "/etc/mysql/mariadb.keys".into(),
            };
            let text = journal.text();
            assert_eq!(Journal::parse(&text), Some(journal));
            for end in 0..text.len() - 1 {
                assert_eq!(Journal::parse(&text[..end]), None, "cut at {end}");
            }
            assert_eq!(Journal::parse(&format!("{text}more\n")), None);
        }
    }
}
