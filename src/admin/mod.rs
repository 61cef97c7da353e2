//! The commands of `stayput`, one file per command.

pub mod mariadb;
mod problem;

pub use problem::{Exit, Problem, Result};
