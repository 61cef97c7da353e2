//! The commands of `stayput`, one file per command.

mod ask;
pub mod cli;
mod enroll;
mod init;
mod install;
mod log;
mod look_around;
pub mod mariadb;
mod problem;
mod program;
mod status;
mod stick;
mod unlock;

pub use problem::{Exit, Problem, Result};
pub use unlock::{UnlockOptions, Unlocked, unlock};
