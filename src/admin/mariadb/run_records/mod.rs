//! What a run that converts the database leaves on the disk: the journal, the marked rooms
//! beside the data directory, and the original.

pub mod journal;
pub mod lost_journal;
pub mod marked_room;
mod original;
pub mod paths;

pub use original::{Ends, Original, find as find_original};
