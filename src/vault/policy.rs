//! What is released, to whom. Kept in the vault, so that every way in
//! releases the same and nobody can change it without the master key.

use core::net::IpAddr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::theft::TheftPolicy;

/// At most this many key ids are released. MariaDB would take more; an id is
/// added only when keys are rotated.
pub const MAX_KEY_IDS: usize = 16;

/// The system tablespace, the redo log, the binary log and Aria always use 1;
/// temporary files use 2.
pub const DEFAULT_KEY_IDS: [u32; 2] = [1, 2];

/// Who reads MariaDB's key file, and every key id that was ever released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MariadbRelease {
    /// Numeric owner of the key file: the stage that writes it cannot look a
    /// name up.
    pub uid: u32,
    /// Numeric group that may read the key file's folder.
    pub gid: u32,
    /// Every id of a key that MariaDB ever had: its files may need it still.
    pub key_ids: Vec<u32, MAX_KEY_IDS>,
}

impl MariadbRelease {
    /// With the key ids of a new server.
    pub fn new(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            key_ids: DEFAULT_KEY_IDS.into_iter().collect(),
        }
    }
}

/// How long MariaDB's key file stays in the memory filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum Keep {
    /// For as long as the server runs.
    #[default]
    Always,
    /// Until MariaDB has read it.
    UntilStarted,
}

/// Neighbours that are asked for again when a place is remembered, at most.
pub const MAX_NEIGHBOURS: usize = 16;

/// What the owner has decided. Authenticated under the master key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `None` until `stayput mariadb enable`.
    pub mariadb: Option<MariadbRelease>,
    /// What happens where the server may have been stolen.
    pub theft: TheftPolicy,
    /// Addresses of the neighbours that were enrolled last. After a reset
    /// nothing else knows whom to ask, and the prompt has no other way to find
    /// out. What answers there is the secret, not the address.
    pub neighbours: Vec<IpAddr, MAX_NEIGHBOURS>,
    /// The owner wants `on_strikes = reset` as soon as a stick was verified
    /// that is kept elsewhere. It does nothing but be reminded of.
    pub wants_reset: bool,
    /// How long the released key file stays.
    pub keep: Keep,
    /// The home that was enrolled last has key servers: another place does not
    /// become one without them.
    pub has_servers: bool,
}
