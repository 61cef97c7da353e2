//! How far the response to an alarm has come. It is kept in memory as a file: a watch
//! that is started anew goes on with it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::admin::watch_service::Unfinished;
use crate::stick::UnwipedStick;
use crate::theft::{Alarm, OnAlarm};
use crate::vault::EventKind;

/// How far a reset has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reset {
    NotWanted,
    /// Nothing is destroyed yet.
    Wanted,
    /// Parts of the pepper may still be on the disk, or the vault does not say that it
    /// was reset.
    Begun {
        vault_says_so: bool,
    },
    Done,
    /// The sticks that are plugged in are the only way back.
    Withheld,
}

/// What is done and what is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Why it was raised.
    pub alarm: Alarm,
    /// Seconds since 1970 (UTC).
    pub since: u64,
    /// What it was to do.
    pub wanted: OnAlarm,
    pub reset: Reset,
    /// The released keys are still in memory.
    pub keys_left: bool,
    /// MariaDB still runs.
    pub database_left: bool,
    /// Sticks that the reset has not wiped.
    pub sticks_left: Vec<UnwipedStick>,
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
            keys_left: locks(wanted),
            database_left: locks(wanted),
            sticks_left: Vec::new(),
            is_over: false,
            hold_left: false,
            is_noted,
            events: Vec::new(),
        }
    }

    /// What is not done yet, for `stayput status`.
    pub fn left(&self) -> Unfinished {
        Unfinished {
            reset: matches!(self.reset, Reset::Wanted | Reset::Begun { .. }),
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
        if wanted != OnAlarm::Reset && self.reset == Reset::Wanted {
            self.reset = Reset::NotWanted;
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

    /// What an earlier run of the watch has left; `None` where there is nothing that can
    /// be read.
    pub fn read(path: &Path) -> Option<Self> {
        match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .inspect_err(|error| log::error!("{}: {error}", path.display()))
                .ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                log::error!("{}: {error}", path.display());
                None
            }
        }
    }
}

/// Whether such an alarm takes the keys and stops the database.
pub fn locks(wanted: OnAlarm) -> bool {
    matches!(wanted, OnAlarm::Lock | OnAlarm::Reset)
}
