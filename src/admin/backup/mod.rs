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
mod stage;
mod stall;
#[cfg(test)]
mod tests;
mod tools;
mod words;

pub use archive::{Archive, PIPED_PART_BYTES};
pub use files::{Content, remove_all, write};
pub use folder::Folder;
pub use found::{
    Found, State, Summary, choose_whole, find_all, lost_besides, read_all, read_manifest,
};
pub use last::LastBackup;
pub use parts::{PART_BYTES, PartWriter};
pub use pipeline::{decrypt, encrypt, read_through, run};
pub use place::Place;
pub use plugged_sticks::{PluggedStick, PluggedSticks, StickState};
pub use progress::{Progress, besides, size};
pub use remembered::{LOCK, newest, recipient_of, released_manifest_keys, remember};
pub use stage::Tool;
pub use stall::patiently;
pub use tools::require;
pub use words::Words;
