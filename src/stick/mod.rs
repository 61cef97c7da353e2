//! Backup sticks: the key file on them, finding them, reading and writing.

mod file;

pub use file::{PIN_MAX, STICK_FILE_BYTES, StickError, StickFile, file_names};
