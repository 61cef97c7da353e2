//! What is released, to whom. Kept in the vault, so that every way in
//! releases the same and nobody can change it without the master key.

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Key ids that MariaDB was ever given, at most.
pub const MAX_KEY_IDS: usize = 16;

/// The keys that MariaDB gets, and the account that may read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MariadbRelease {
    pub uid: u32,
    pub gid: u32,
    pub key_ids: Vec<u32, MAX_KEY_IDS>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `None` until `stayput mariadb enable`.
    pub mariadb: Option<MariadbRelease>,
}
