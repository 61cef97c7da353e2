//! Backup sticks: the key file on them, finding them, reading and writing.

mod file;
mod filesystem;
mod find;
mod plugged;
mod volume;

pub use file::{PIN_MAX, STICK_FILE_BYTES, StickError, StickFile, StickInfo, file_names};
pub use find::{Stick, is_on_a_stick, plugged_in};
pub use plugged::{PluggedKeys, Wiped};
pub use volume::{Copies, filesystem_of, read, read_copies, write};

use crate::vault::Header;

/// Whether a volume of the stick has a filesystem that is read here.
pub fn shows_a_filesystem(stick: &Stick) -> bool {
    stick
        .volumes
        .iter()
        .any(|volume| filesystem_of(volume).is_some())
}

/// Reads this server's key file from whichever volume of a stick has it; else
/// says what is wrong with the most promising one.
///
/// # Errors
/// [`StickError`].
pub fn read_any(stick: &Stick, header: &Header) -> Result<StickFile, StickError> {
    let mut worst = StickError::Unreadable;
    for volume in &stick.volumes {
        match read(volume, header) {
            Ok(file) => return Ok(file),
            Err(StickError::Unreadable) => {}
            Err(StickError::NoKey) if worst != StickError::Unreadable => {}
            Err(error) => worst = error,
        }
    }
    Err(worst)
}
