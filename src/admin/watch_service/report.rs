//! What the watch tells `stayput status`: a small file in memory that is
//! locked for as long as the watch runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

use serde::{Deserialize, Serialize};

use crate::environment::Watched;
use crate::theft::{Alarm, OnAlarm};

const PATH: &str = "/run/stayput-watch.json";
/// Longest report, in bytes.
const MAX: u64 = 1024;

/// The state of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What it does when it is sure.
    pub on_alarm: OnAlarm,
    /// Whether it compares with what was enrolled, and not with what it found
    /// at its start.
    pub enrolled: bool,
    /// Those that were as they should be at the last check.
    pub same: u8,
    /// Those in whose place another answers.
    pub different: u8,
    /// Those that did not answer.
    pub silent: u8,
    /// Who is counted. An older version counts neighbours alone, and does not say so.
    #[serde(default)]
    pub who: Watched,
    /// An alarm that is not over, and since when (seconds since 1970, UTC).
    pub alarm: Option<(Alarm, u64)>,
    /// What the alarm was to do and has not done yet; it is tried again.
    #[serde(default)]
    pub unfinished: Unfinished,
}

/// What an alarm was to do and has not done yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The pepper is not destroyed, or not all of it.
    pub reset: bool,
    /// The released keys are still in memory.
    pub keys: bool,
    /// MariaDB still runs.
    pub database: bool,
    /// Keys on backup sticks that were plugged in are not destroyed.
    #[serde(default)]
    pub sticks: bool,
}

impl Unfinished {
    /// Each of them that is not done, as a word for scripts and as a sentence.
    pub fn list(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = [
            (
                self.reset,
                "reset",
                "the key on the disk is not destroyed, or not all of it",
            ),
            (self.keys, "keys", "the released keys are still in memory"),
            (self.database, "database", "MariaDB still runs"),
            (
                self.sticks,
                "sticks",
                "a backup stick that was plugged in is not wiped",
            ),
        ];
        let left = all.into_iter().filter(|(is_left, ..)| *is_left);
        left.map(|(_, word, sentence)| (word, sentence))
    }
}

/// The report file, locked by the watch that runs.
pub struct ReportFile(File);

impl ReportFile {
    /// # Errors
    /// WouldBlock when another watch runs; else what the filesystem says.
    pub fn begin() -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(PATH)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Writes the report. Whoever reads at that moment may see nothing.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn write(&mut self, report: &Report) -> io::Result<()> {
        let text = serde_json::to_vec(report)?;
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(&text)
    }
}

/// The report of the running watch; `None` when none runs.
pub fn read() -> Option<Report> {
    let file = File::open(PATH).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut text = Vec::new();
    file.take(MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
