//! The parts of the machine: how they are named and read.

mod attached;
#[cfg(test)]
mod fake_sysfs;
mod hardware;
mod parts;

#[cfg(feature = "admin")]
pub use parts::note_latecomers;
pub use parts::observe_machine;
