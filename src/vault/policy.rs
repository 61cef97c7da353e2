//! The owner's policy. It is in the vault, so that every way in releases the
//! same, and nobody can change it without the master key.

use core::net::IpAddr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::theft::TheftPolicy;

/// Key ids that are released, at most. MariaDB would take more, but ids are
/// only added when keys are rotated.
pub const MAX_KEY_IDS: usize = 16;

/// Key ids of a new server. The system tablespace, the redo log, the binary log
/// and Aria use 1; temporary files use 2.
pub const DEFAULT_KEY_IDS: [u32; 2] = [1, 2];

/// A key of MariaDB's: its id, and the master key that it is derived from. Replacing the
/// master key changes none that the database's files are written with; a new id comes
/// from the master key of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyId {
    /// MariaDB's number of the key.
    pub id: u32,
    /// Generation of the master key, from 1.
    pub generation: u32,
}

/// Who may read MariaDB's key file, and which keys it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MariadbRelease {
    /// User id of the key file's owner. The boot stage cannot look up names.
    pub uid: u32,
    /// Group id that may read the key file's folder.
    pub gid: u32,
    /// Every key that MariaDB ever had: its files may still need it.
    pub key_ids: Vec<KeyId, MAX_KEY_IDS>,
}

impl MariadbRelease {
    /// The release for a new database, with [`DEFAULT_KEY_IDS`] of the master key of
    /// this generation.
    pub fn new(uid: u32, gid: u32, generation: u32) -> Self {
        let ids = DEFAULT_KEY_IDS.into_iter();
        Self {
            uid,
            gid,
            key_ids: ids.map(|id| KeyId { id, generation }).collect(),
        }
    }
}

/// How long MariaDB's key file stays in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum Keep {
    /// While the server runs.
    #[default]
    Always,
    /// Until MariaDB has read it.
    UntilStarted,
}

/// Neighbours whose addresses the policy keeps, at most.
pub const MAX_NEIGHBOURS: usize = 16;

/// The owner's decisions. Authenticated under the master key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The release of MariaDB's keys; `None` before `stayput mariadb enable`.
    pub mariadb: Option<MariadbRelease>,
    /// What is done when the server may have been stolen.
    pub theft: TheftPolicy,
    /// Addresses of the neighbours that were enrolled last. After a reset
    /// `remember` has no other way to know whom to ask. The addresses are not
    /// secret; the hardware addresses are.
    pub neighbours: Vec<IpAddr, MAX_NEIGHBOURS>,
    /// Whether the owner wants `on_strikes = reset` as soon as a stick that is
    /// kept elsewhere was verified. Commands remind of it; it has no other
    /// effect.
    pub wants_reset: bool,
    /// How long MariaDB's key file stays in memory.
    pub keep: Keep,
    /// Whether the home that was enrolled last has key servers: then no place
    /// without key servers can be enrolled at the prompt.
    pub has_servers: bool,
}
