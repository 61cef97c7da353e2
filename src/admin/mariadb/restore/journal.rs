//! The journal of a restore, on disk: how far it came, and which of two databases is to lie
//! behind the gate.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::admin::durable::{remove_durably, write_durably};
use crate::admin::mariadb::run_records::marked_room::RunId;

use super::role::Role;

const FILE: &str = "/var/lib/stayput/mariadb.restore";
const FIRST_LINE: &str = "stayput restore 2";
/// Longest journal, in bytes.
const MAX: u64 = 8192;

/// How far a restore came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The restored database is being made, beside the one that is there. An interruption is
    /// undone.
    Building,
    /// It is whole, counted and on the disk. The two change places; what becomes of an
    /// interruption is told by which of them lies behind the gate.
    Switching,
    /// MariaDB was seen to serve from the one that was wanted; the other one is kept.
    Done,
    /// The other one is being removed: nothing leads back to it any more.
    Removing,
}

const STAGES: [(Stage, &str); 4] = [
    (Stage::Building, "building"),
    (Stage::Switching, "switching"),
    (Stage::Done, "done"),
    (Stage::Removing, "removing"),
];

/// One restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The mark of everything that it makes.
    pub run: RunId,
    /// How far it came.
    pub stage: Stage,
    /// The data directory as MariaDB sees it.
    pub data: PathBuf,
    /// The one that is to lie behind the gate.
    pub wanted: Role,
    /// MariaDB served from the other one before the two changed places.
    pub served: bool,
    /// The number of the backup.
    pub number: u64,
}

impl Journal {
    /// `None` where there is none.
    ///
    /// # Errors
    /// What the filesystem says; also when the file holds something else.
    pub fn read() -> io::Result<Option<Self>> {
        let file = match File::open(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(MAX).read_to_string(&mut text)?;
        let journal = Self::parse(&text);
        let wrong = || io::Error::other(format!("{FILE} is damaged"));
        journal.map(Some).ok_or_else(wrong)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut next = |name: &str| {
            let (found, value) = lines.next()?.split_once(' ')?;
            (found == name).then_some(value)
        };
        let run = RunId::parse(next("run")?)?;
        let stage = next("stage")?;
        let stage = STAGES.iter().find(|(_, word)| *word == stage)?.0;
        let journal = Self {
            run,
            stage,
            data: PathBuf::from(next("data")?),
            wanted: Role::parse(next("wanted")?)?,
            served: next("served")?.parse().ok()?,
            number: next("number")?.parse().ok()?,
        };
        let whole = lines.next() == Some("end") && lines.next().is_none();
        (whole && journal.data.is_absolute()).then_some(journal)
    }

    fn text(&self) -> String {
        let stage = STAGES.iter().find(|(stage, _)| *stage == self.stage);
        let mut text = format!("{FIRST_LINE}\n");
        write!(
            text,
            "run {}\nstage {}\ndata {}\nwanted {}\nserved {}\nnumber {}\nend\n",
            self.run,
            stage.map_or("", |(_, word)| word),
            self.data.display(),
            self.wanted.word(),
            self.served,
            self.number
        )
        .expect("a String takes any text");
        text
    }

    /// Writes the journal durably.
    ///
    /// # Errors
    /// What the filesystem says; also when the data directory's path cannot be written in
    /// one line.
    pub fn write(&self) -> io::Result<()> {
        let text = self.text();
        if Self::parse(&text).as_ref() != Some(self) {
            return Err(ErrorKind::InvalidInput.into());
        }
        write_durably(Path::new(FILE), text.as_bytes())
    }

    /// Removes it: nothing of the restore is left.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn clear() -> io::Result<()> {
        remove_durably(Path::new(FILE)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_is_read_back_and_a_cut_one_is_not_believed() {
        for (stage, _) in STAGES {
            let journal = Journal {
                run: RunId::new(),
                stage,
                data: "/srv/my data/mysql".into(),
                wanted: Role::Restored,
                served: true,
                number: 12,
            };
            let text = journal.text();
            assert_eq!(Journal::parse(&text), Some(journal));
            for end in 0..text.len() - 1 {
                assert_eq!(Journal::parse(&text[..end]), None, "cut at {end}");
            }
        }
    }
}
