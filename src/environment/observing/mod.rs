//! Observes machine, neighbours and key servers together: once for a command,
//! or again and again while the server runs.

mod observe_place;
#[cfg(feature = "admin")]
mod watched_place;

pub use observe_place::{COLD_START_WAIT, LIVE_NETWORK_WAIT, Patience, observe_place};
#[cfg(feature = "admin")]
pub use watched_place::{Watched, WatchedPlace};
