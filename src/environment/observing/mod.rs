//! Machine, neighbours and key servers observed together: once for a command, or
//! for as long as the server runs.

mod look_around;
#[cfg(feature = "admin")]
mod watched;

#[cfg(feature = "admin")]
pub use look_around::look_around_quietly;
pub use look_around::{FROM_NOTHING, ON_A_LIVE_NETWORK, look_around};
#[cfg(feature = "admin")]
pub use watched::Watched;
