//! `stayput mariadb`: MariaDB encrypted with the released keys, and the gate
//! in front of it.

mod config;
mod data_directory;
mod durable;
mod enable;
mod gate;
mod judge;
mod server;
mod settings;
mod units;

use crate::admin::Result;

pub use enable::{Enrolment, enable};

/// What `stayput mariadb` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum MariadbCommand {
    /// Check every key and setting, then open the data directory (MariaDB's unit runs it)
    Gate,
    /// Close the data directory (MariaDB's unit runs it)
    Close,
}

pub fn run(command: MariadbCommand) -> Result<()> {
    match command {
        MariadbCommand::Gate => gate::gate(),
        MariadbCommand::Close => gate::close(),
    }
}
