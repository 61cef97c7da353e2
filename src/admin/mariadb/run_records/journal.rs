//! The journal of a run, on disk, so that a run that was cut off by a power cut or
//! a kill can be resumed or undone.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::admin::durable::{sync_directory, write_durably};
use crate::admin::mariadb::conversion::Conversion;

use super::marked_room::RunId;

/// Where the journal is.
pub const FILE: &str = "/var/lib/stayput/mariadb.enable";

/// The first line tells which way the run goes.
const FIRST_LINES: [(Conversion, &str); 2] = [
    (Conversion::Encrypt, "stayput mariadb enable 2"),
    (Conversion::Decrypt, "stayput mariadb disable --clear 1"),
];

/// Longest journal, in bytes.
const MAX: u64 = 8192;

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A copy of the running server is being made, to be thrown away.
    Rehearsing,
    /// The copy is being made; the original is in its place. An interruption
    /// is undone.
    Building,
    /// The copy was compared and is on the disk; it takes the original's
    /// place. Nothing has written into it. An interruption is undone.
    Switching,
    /// The copy, which may have taken writes, is put aside, and the original
    /// gets its place back. After an interruption the run goes on.
    TakingBack,
    /// MariaDB may have been started with the copy, which may have taken
    /// writes: from here on nothing is undone without comparing.
    Starting,
    /// MariaDB was seen to serve from the copy. The original waits for its end.
    Waiting,
    /// The original is being destroyed.
    Destroying,
}

/// What becomes of the original once the copy serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalEnds {
    /// After the server has started once: where the copy is encrypted, through initramfs,
    /// key and gate.
    AfterBoot,
    /// At the end of the run.
    Now,
    /// When somebody says so.
    Never,
}

const STAGES: [(Stage, &str); 7] = [
    (Stage::Rehearsing, "rehearsing"),
    (Stage::Building, "building"),
    (Stage::Switching, "switching"),
    (Stage::TakingBack, "taking-back"),
    (Stage::Starting, "starting"),
    (Stage::Waiting, "waiting"),
    (Stage::Destroying, "destroying"),
];

const ENDS: [(OriginalEnds, &str); 3] = [
    (OriginalEnds::AfterBoot, "after-boot"),
    (OriginalEnds::Now, "now"),
    (OriginalEnds::Never, "never"),
];

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Which way it goes.
    pub conversion: Conversion,
    /// The mark of everything that this run makes.
    pub run: RunId,
    /// How far it came.
    pub stage: Stage,
    /// The data directory as MariaDB sees it.
    pub data: PathBuf,
    /// What its owner wants of the original.
    pub ends: OriginalEnds,
    /// When the copy began to serve, in seconds since 1970; 0 before.
    pub since: u64,
    /// The kernel's id of the boot in which the copy was switched to.
    pub boot: String,
}

impl Journal {
    /// The journal of a run that has not ended; `None` when there is none.
    ///
    /// # Errors
    /// What the filesystem says; also when the file holds something else.
    pub fn read() -> io::Result<Option<Self>> {
        Self::read_from(Path::new(FILE))
    }

    fn read_from(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(MAX).read_to_string(&mut text)?;
        let journal = Self::parse(&text);
        let wrong = || io::Error::other(format!("{} is damaged", path.display()));
        journal.map(Some).ok_or_else(wrong)
    }

    /// The data directory that a damaged journal still names.
    pub fn still_names() -> Option<PathBuf> {
        let mut text = Vec::new();
        File::open(FILE)
            .ok()?
            .take(MAX)
            .read_to_end(&mut text)
            .ok()?;
        data_named_in(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let conversion = by_word(&FIRST_LINES, lines.next()?)?;
        let mut next = |name: &str| {
            let (found, value) = lines.next()?.split_once(' ')?;
            (found == name).then_some(value)
        };
        let journal = Self {
            conversion,
            run: RunId::parse(next("run")?)?,
            stage: by_word(&STAGES, next("stage")?)?,
            data: PathBuf::from(next("data")?),
            ends: by_word(&ENDS, next("original")?)?,
            since: next("since")?.parse().ok()?,
            boot: next("boot")?.to_owned(),
        };
        let whole = lines.next() == Some("end") && lines.next().is_none();
        (whole && journal.data.is_absolute()).then_some(journal)
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", word(&FIRST_LINES, self.conversion));
        write!(
            text,
            "run {}\nstage {}\ndata {}\noriginal {}\nsince {}\nboot {}\nend\n",
            self.run,
            word(&STAGES, self.stage),
            self.data.display(),
            word(&ENDS, self.ends),
            self.since,
            self.boot
        )
        .expect("a String takes any text");
        text
    }

    /// Writes the journal durably.
    ///
    /// # Errors
    /// What the filesystem says; also when the data directory's path cannot
    /// be written in one line.
    pub fn write(&self) -> io::Result<()> {
        let text = self.text();
        if Self::parse(&text).as_ref() != Some(self) || text.len() as u64 >= MAX {
            return Err(ErrorKind::InvalidInput.into());
        }
        write_durably(Path::new(FILE), text.as_bytes())
    }

    /// Notes that the run came to `stage`.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn reach(&mut self, stage: Stage) -> io::Result<()> {
        self.stage = stage;
        self.write()
    }

    /// Removes the journal: the run has ended.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn clear() -> io::Result<()> {
        match fs::remove_file(FILE) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => sync_directory(Path::new(FILE)),
        }
    }
}

#[cfg(test)]
impl Journal {
    /// A run of this boot on the data directory `data`, for the tests of what goes by it.
    pub fn example(conversion: Conversion, stage: Stage, data: impl Into<PathBuf>) -> Self {
        Self {
            conversion,
            run: RunId::new(),
            stage,
            data: data.into(),
            ends: OriginalEnds::AfterBoot,
            since: 0,
            boot: super::paths::boot_id(),
        }
    }
}

fn data_named_in(text: &str) -> Option<PathBuf> {
    // A line that was cut names another directory.
    let lines = text.split_inclusive('\n');
    let mut lines = lines.filter_map(|line| line.strip_suffix('\n'));
    lines
        .find_map(|line| line.strip_prefix("data "))
        .map(PathBuf::from)
        .filter(|data| data.is_absolute())
}

fn word<T: PartialEq>(words: &[(T, &'static str)], wanted: T) -> &'static str {
    let found = words.iter().find(|(value, _)| *value == wanted);
    found.map_or("", |(_, word)| word)
}

fn by_word<T: Copy>(words: &[(T, &'static str)], wanted: &str) -> Option<T> {
    words
        .iter()
        .find_map(|(value, word)| (*word == wanted).then_some(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(stage: Stage, ends: OriginalEnds) -> Journal {
        Journal {
            conversion: Conversion::Encrypt,
            run: RunId::new(),
            stage,
            data: "/srv/my data/mysql".into(),
            ends,
            since: 1_764_163_200,
            boot: "6ff5a6f1-5a2e-4c60-93a4-3a2b4cf4bd0e".into(),
        }
    }

    #[test]
    fn every_journal_is_read_back_as_it_was_written() {
        for (stage, _) in STAGES {
            for (ends, _) in ENDS {
                for conversion in Conversion::ALL {
                    let journal = Journal {
                        conversion,
                        ..journal(stage, ends)
                    };
                    assert_eq!(Journal::parse(&journal.text()), Some(journal));
                }
            }
        }
    }

    #[test]
    fn a_journal_that_is_cut_or_changed_is_not_believed() {
        let text = journal(Stage::Waiting, OriginalEnds::AfterBoot).text();
        for end in 0..text.len() - 1 {
            assert_eq!(Journal::parse(&text[..end]), None, "cut at {end}");
        }
        for (from, to) in [
            ("waiting", "wating"),
            ("data /", "data "),
            ("enable 2", "enable 3"),
            ("end\n", "end\nmore\n"),
            ("run ", "ran "),
        ] {
            assert_eq!(Journal::parse(&text.replace(from, to)), None, "{to}");
        }
    }

    #[test]
    fn a_damaged_journal_still_names_the_data() {
        let text = journal(Stage::Waiting, OriginalEnds::AfterBoot).text();
        let data = Some(PathBuf::from("/srv/my data/mysql"));
        let after = text.find("original").unwrap();
        assert_eq!(data_named_in(&text[..after]), data);
        assert_eq!(data_named_in(&text[..after - 1]), None);
        assert_eq!(data_named_in(&text.replace("data /", "data ")), None);
    }

    #[test]
    fn a_path_with_a_line_break_is_not_written() {
        let mut journal = journal(Stage::Building, OriginalEnds::Now);
        journal.data = "/srv/a\nstage waiting".into();
        assert_ne!(Journal::parse(&journal.text()), Some(journal));
    }
}
