//! The theft state: what the server believes has happened to it.

use serde::{Deserialize, Serialize};

/// Read before anything else at every boot. Stored in the vault; a value that
/// this version does not know does not decode, and nothing is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TheftState {
    /// The server may open by itself where it belongs.
    Armed,
}
