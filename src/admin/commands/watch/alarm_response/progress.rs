//! How far the response to an alarm has come. It is kept in memory as a file: a watch
//! that is started anew goes on with it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::admin::watch_service::Unfinished;
use crate::stick::StickId;
use crate::sys::clock;
use crate::theft::{Alarm, OnAlarm};
use crate::vault::EventKind;

/// How far a reset has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reset {
    NotWanted,
    /// Nothing is destroyed yet.
    Wanted,
    /// It was just being done: only the vault tells whether it has begun. Where it has
    /// not, it `is_wanted` or is left.
    AtWork {
        is_wanted: bool,
    },
    /// Parts of the pepper may still be on the disk, or the vault does not say that it
    /// was reset.
    Begun {
        vault_says_so: bool,
    },
    Done,
    /// The sticks that are plugged in may be the only way back.
    Withheld,
}

/// What is done and what is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Why it was raised.
    pub alarm: Alarm,
    /// Seconds since 1970 (UTC).
    pub since: u64,
    /// What it was to do.
    pub wanted: OnAlarm,
    pub reset: Reset,
    /// The mark was put there that holds MariaDB's starts. A release takes it away.
    pub is_held: bool,
    /// The released keys are still in memory.
    pub keys_left: bool,
    /// MariaDB still runs.
    pub database_left: bool,
    /// Sticks that the reset has not wiped.
    pub sticks_left: Vec<StickId>,
    /// Sticks that it has wiped, or was to wipe: none of them is a way back, whatever the
    /// vault's list says of it.
    pub sticks_gone: Vec<StickId>,
    /// The server is at home again.
    pub is_over: bool,
    /// The alarm is over, and MariaDB's starts are still held.
    pub hold_left: bool,
    /// Whether it goes into the vault's log.
    pub is_noted: bool,
    /// Not in the vault's log yet.
    pub events: Vec<EventKind>,
}

impl Progress {
    /// Nothing is done yet.
    pub fn begin(alarm: Alarm, since: u64, wanted: OnAlarm, is_noted: bool) -> Self {
        Self {
            alarm,
            since,
            wanted,
            reset: match wanted {
                OnAlarm::Reset => Reset::Wanted,
                _ => Reset::NotWanted,
            },
            is_held: false,
            keys_left: locks(wanted),
            database_left: locks(wanted),
            sticks_left: Vec::new(),
            sticks_gone: Vec::new(),
            is_over: false,
            hold_left: false,
            is_noted,
            events: Vec::new(),
        }
    }

    /// What is not done yet, for `stayput status`.
    pub fn left(&self) -> Unfinished {
        Unfinished {
            reset: matches!(
                self.reset,
                Reset::Wanted | Reset::AtWork { .. } | Reset::Begun { .. }
            ),
            keys: self.keys_left,
            database: self.database_left,
            sticks: !self.sticks_left.is_empty(),
        }
    }

    /// Whether there is nothing to be tried again.
    pub fn is_done(&self) -> bool {
        self.left() == Unfinished::default() && !self.hold_left && self.events.is_empty()
    }

    /// What the owner no longer wants is not begun; a reset that is begun is finished.
    pub fn follow(&mut self, wanted: OnAlarm) {
        if wanted != OnAlarm::Reset {
            match &mut self.reset {
                Reset::Wanted => self.reset = Reset::NotWanted,
                Reset::AtWork { is_wanted } => *is_wanted = false,
                _ => {}
            }
        }
        if !locks(wanted) {
            self.keys_left = false;
            self.database_left = false;
        }
    }

    /// The server is at home: whatever is not done by now stays as it is.
    pub fn end(&mut self) {
        self.is_over = true;
        self.give_up();
        self.hold_left = locks(self.wanted);
    }

    /// A person has answered the alarm, or nobody waits for its end.
    pub fn answer(&mut self) {
        self.give_up();
        self.is_over = true;
        self.hold_left = false;
    }

    /// Nothing more is done, whatever is left.
    pub fn give_up(&mut self) {
        if self.left().reset {
            self.reset = Reset::Done;
        }
        self.keys_left = false;
        self.database_left = false;
        self.sticks_left.clear();
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&new, path)
    }

    /// What an earlier run of the watch has left; `None` where it has left nothing. A file
    /// that cannot be read says that an alarm is not over.
    pub fn read(path: &Path) -> Option<Self> {
        let unread = |error: String| {
            log::error!("{}: {error}", path.display());
            Self::default()
        };
        match fs::read(path) {
            Ok(text) => {
                let read = serde_json::from_slice(&text);
                Some(read.unwrap_or_else(|error| unread(error.to_string())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(unread(error.to_string())),
        }
    }
}

/// Of an alarm of which nothing is known but that it is not over: nothing more is done for
/// it, and its end ends the hold.
impl Default for Progress {
    fn default() -> Self {
        Self {
            keys_left: false,
            database_left: false,
            ..Self::begin(Alarm::Gone, clock::now(), OnAlarm::Lock, false)
        }
    }
}

/// Whether such an alarm takes the keys and stops the database.
pub fn locks(wanted: OnAlarm) -> bool {
    matches!(wanted, OnAlarm::Lock | OnAlarm::Reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_an_alarm_that_is_not_over() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("progress.json");
        assert_eq!(Progress::read(&path), None);
        // Cut off, of another version, and one that lacks what came later.
        for text in [
            "{\"alarm\":",
            "{\"alarm\":\"Flood\"}",
            "{\"is_noted\":true}",
        ] {
            fs::write(&path, text).unwrap();
            let read = Progress::read(&path).expect(text);
            assert!(!read.is_over && read.is_done(), "{text}");
            assert_eq!(read.reset, Reset::NotWanted, "no reset is begun for it");
        }
    }
}
