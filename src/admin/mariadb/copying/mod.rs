//! An encrypted copy of a server, proven to hold the same.

pub mod copy;
pub mod floats;
pub mod inventory;
pub mod leftovers;
pub mod obstacles;
pub mod private;
