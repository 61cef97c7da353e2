//! The commands of `stayput`, one file per command.

mod ask;
pub mod cli;
mod enroll;
mod init;
mod install;
mod log;
pub mod mariadb;
mod policy;
mod problem;
mod program;
mod release;
mod reset;
mod status;
mod stick;
mod systemd;
mod unlock;
mod watch;

pub use problem::{Exit, Problem, Result};
pub use unlock::{UnlockOptions, Unlocked, unlock};
