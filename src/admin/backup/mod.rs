//! What the commands `backup` and `restore` share: the place where backups lie, their files,
//! the programs between the database and these files, and what the server remembers.

mod archive;
mod files;
mod folder;
mod found;
mod last;
mod parts;
mod pipeline;
mod place;
mod plugged_sticks;
mod progress;
mod remembered;
#[cfg(test)]
mod tests;
mod tools;

pub use archive::{Archive, PIPED_PART_BYTES};
pub use files::{Content, remove_all, write};
pub use folder::Folder;
pub use found::{Found, State, Summary, choose_whole, find_all, read_manifest};
pub use last::LastBackup;
pub use parts::{PART_BYTES, PartWriter};
pub use pipeline::{Tool, decrypt, encrypt, read_through};
pub use place::Place;
pub use plugged_sticks::{PluggedStick, PluggedSticks, StickState};
pub use progress::{Progress, size};
pub use remembered::{LOCK, newest, recipient_of, released_manifest_keys, remember};
pub use tools::require;
