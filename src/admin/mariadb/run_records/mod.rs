//! What a run that converts the database leaves on the disk: the journal, the marked rooms
//! beside the data directory, the original, and copies that wait for their owner.

mod data_places;
pub mod journal;
mod kept_copy;
pub mod lost_journal;
pub mod marked_room;
mod original;
pub mod paths;

pub use data_places::{data_places, usual as usual_places};
pub use kept_copy::{CopyKind, KeptCopy, kept_copies, put_aside};
pub use original::{Ends, Original, find as find_original};
