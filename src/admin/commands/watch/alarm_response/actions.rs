//! What the response to an alarm does to the server, and what it sees of its sticks.

use serde::{Deserialize, Serialize};

use crate::stick::StickId;
use crate::theft::WayBack;
use crate::vault::{Destroyed, EventKind, StickList};

use super::progress::Progress;

/// What an alarm does to this server. Each says why it was not done.
pub trait Actions {
    /// Looks which sticks are plugged in and which are listed at this moment.
    fn see_sticks(&mut self) -> Result<SticksSeen, String>;
    /// Destroys the pepper, and the keys on the sticks that were seen; tells which of
    /// these it has not destroyed.
    fn destroy_pepper(&mut self) -> Result<(Destroyed, Vec<StickId>), NotReset>;
    /// Whether the vault says that it was not reset, or was armed since.
    fn is_armed(&mut self) -> Result<bool, String>;
    /// Destroys once more what is left of the pepper.
    fn destroy_rest(&mut self) -> Result<Destroyed, String>;
    /// Destroys the keys on those of the sticks seen that have these ids.
    fn wipe_sticks(&mut self, ids: &[StickId]) -> WipedAgain;
    /// Lets no start of MariaDB begin, until somebody releases its keys.
    fn hold_starts(&mut self) -> Result<(), String>;
    /// Whether none begins.
    fn are_starts_held(&self) -> bool;
    /// Lets no start of MariaDB begin, ends one that is under way, then removes the keys
    /// from memory. A MariaDB that runs has read them already.
    fn take_keys(&mut self) -> Result<(), String>;
    /// Stops MariaDB.
    fn stop_database(&mut self) -> Result<(), String>;
    /// Whether keys are in memory: once they were taken, somebody has released them
    /// since.
    fn are_keys_released(&self) -> bool;
    /// MariaDB may be started again.
    fn end_hold(&mut self) -> Result<(), String>;
    /// Adds to the vault's log.
    fn note(&mut self, event: &EventKind) -> Result<(), String>;
    /// Keeps it for a watch that is started anew; `None` when nothing is under way.
    fn keep(&mut self, progress: Option<&Progress>);
}

/// Why a reset has not come to its end.
pub enum NotReset {
    /// The vault is as it was, and so are the sticks.
    AsItWas(String),
    /// It may have begun, and may be at work: only the vault tells.
    NotKnown(String),
}

/// The sticks of this server at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SticksSeen {
    /// The vault's list.
    pub listed: StickList,
    /// Of the present master key.
    pub generation: u32,
    /// Those that are plugged in and answer.
    pub plugged: Vec<StickId>,
    /// No slot opens the vault any more: a stick on the list may have been wiped.
    pub was_reset: bool,
}

impl SticksSeen {
    /// Whether the owner gets in without these.
    pub fn way_back(&self, gone: &[StickId]) -> WayBack {
        self.listed.way_back(self.generation, gone)
    }
}

/// What became of sticks that came back.
pub struct WipedAgain {
    /// Keys that were destroyed.
    pub wiped: u8,
    /// Sticks that are still not wiped.
    pub unwiped: Vec<StickId>,
}
