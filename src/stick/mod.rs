//! Backup sticks: the key file on them, finding them, reading and writing. What
//! may hang with a stick is done by a child.

#[cfg(feature = "admin")]
mod all_servers;
pub mod answer;
mod child;
mod driverless;
mod error;
mod file;
mod find;
mod hearing;
mod plugged;
#[cfg(feature = "admin")]
pub mod renewal;
#[cfg(feature = "admin")]
mod search;
#[cfg(feature = "admin")]
mod unwiped;
mod volume;
mod writing;

#[cfg(feature = "admin")]
pub use all_servers::read_all_servers;
pub use child::run_as_child;
pub use driverless::missing_driver;
pub use error::StickError;
pub use file::{PIN_MAX, STICK_FILE_BYTES, StickFile, StickId, StickInfo, file_names};
#[cfg(feature = "admin")]
pub use find::stick_with;
pub use find::{Stick, plugged_in};
pub use hearing::{ANSWERS_WITHIN, FoundKey, Reading};
pub use plugged::{PluggedKeys, Wiped};
#[cfg(feature = "admin")]
pub use search::Beside;
#[cfg(feature = "admin")]
pub use volume::read_ways;
pub use volume::{Copies, read, read_copies};
pub use writing::{NotWiped, write};
