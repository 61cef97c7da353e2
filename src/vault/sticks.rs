//! The list of backup sticks that were made for this server.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// Sticks that are kept count of, at most.
pub const MAX_STICKS: usize = 32;

/// One stick, as the server remembers it. The stick itself holds the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownStick {
    /// Random; stands in the stick's key file too.
    pub id: [u8; 8],
    /// What the owner wrote on it.
    pub label: String<32>,
    pub has_pin: bool,
    /// Which master key it wraps.
    pub generation: u32,
    /// Seconds since 1970 (UTC).
    pub made: u64,
    /// When it was last seen to open, in seconds since 1970 (UTC).
    pub verified: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickList {
    pub sticks: Vec<KnownStick, MAX_STICKS>,
}
