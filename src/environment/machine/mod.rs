//! What the machine is made of.

mod hardware;
mod parts;

pub use parts::observe_machine;
