//! The commands of `stayput`, one file per command.

mod problem;

pub use problem::{Exit, Problem, Result};
