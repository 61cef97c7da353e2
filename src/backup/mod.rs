//! Backups of the database as formats and decisions: keys, the manifest, the order in which
//! a backup is written and removed, which ones are kept, and which one is restored. Pure.

mod authenticated;
mod bounded;
pub mod keys;
mod manifest;
mod manifest_keys;
mod newest;

#[cfg(feature = "admin")]
mod bech32;
#[cfg(feature = "admin")]
mod choice;
#[cfg(feature = "admin")]
mod due;
#[cfg(feature = "admin")]
mod keeping;
#[cfg(feature = "admin")]
mod name;
#[cfg(feature = "admin")]
pub mod steps;

pub use authenticated::NotAuthentic;
pub use keys::ManifestKey;
pub use manifest::{
    CHECK_MAX, Files, Manifest, Method, PARTS_MAX, Part, STREAM_HEAD, Stream, StreamKind, TableRows,
};
pub use manifest_keys::ManifestKeys;
pub use newest::{Newest, Verified};

#[cfg(feature = "admin")]
pub use choice::{NoChoice, choose};
#[cfg(feature = "admin")]
pub use due::{Due, Made, due};
#[cfg(feature = "admin")]
pub use keeping::{Kept, Rules, expendable, expendable_before, wrong_clock};
#[cfg(feature = "admin")]
pub use keys::age_identity;
#[cfg(feature = "admin")]
pub use name::{MANIFEST, UNFINISHED, WAYS, folder_name, number_of, part_name};
