//! The decisions of a boot: the assessment of the place, what is said and asked
//! at the prompt, what opens, and what is written, released or destroyed. Pure,
//! without clock, disk, network or terminal: the boot stage tells the machine
//! events and does its acts, and so does `stayput simulate` with a clock of its
//! own.

pub mod act;
pub mod assessment;
pub mod dialogue;
pub mod entries;
pub mod host;
#[cfg(feature = "admin")]
pub mod late_release;
pub mod line_editor;
pub mod machine;
pub mod menu;
pub mod messages;
pub mod places;
pub mod reading;
pub mod snapshot;

pub use assessment::Situation;
pub use machine::Machine;
