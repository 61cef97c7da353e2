//! The parts of the machine: how they are named and read.

mod hardware;
mod parts;

pub use parts::observe_machine;
