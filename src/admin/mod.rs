//! The commands of `stayput`, one file per command.

mod ask;
mod audit;
pub mod cli;
mod enroll;
mod init;
mod install;
mod log;
pub mod mariadb;
mod policy;
mod problem;
mod program;
mod reset;
mod status;
mod stick;
mod unlock;

pub use problem::{Exit, Problem, Result};
pub use unlock::{UnlockOptions, Unlocked, unlock};
