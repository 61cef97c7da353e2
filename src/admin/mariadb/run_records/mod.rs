//! What a run of `enable` leaves on the disk: the journal, the marked rooms
//! beside the data directory, and the clear original.

mod clear_original;
pub mod journal;
pub mod lost_journal;
pub mod marked_room;
pub mod paths;

pub use clear_original::{ClearOriginal, Ends, find as find_original};
