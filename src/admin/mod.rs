//! The commands of `stayput`, each in a file or a folder of its own, and what
//! several of them share.

mod advertised;
mod ask;
mod audit;
mod check;
pub mod cli;
mod code;
mod durable;
mod enroll;
mod entry;
mod guessing;
mod init;
mod install;
mod log;
pub mod mariadb;
mod mariadb_service;
mod names;
mod open_vault;
mod passphrase;
mod policy;
mod problem;
mod program;
mod release;
mod reset;
mod simulate;
mod status;
mod stick;
mod systemd;
mod unlock;
mod watch;
mod ways_in;

pub use problem::{Exit, Problem, Result};
pub use unlock::{UnlockOptions, Unlocked, unlock};
