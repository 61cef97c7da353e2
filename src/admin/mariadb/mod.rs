//! `stayput mariadb`: MariaDB encrypted with the released keys, and the gate
//! in front of it.

mod cold_backups;
mod config;
mod copying;
mod data_directory;
pub(super) mod durable;
mod enable;
mod gate;
mod judge;
mod launch;
mod occupants;
mod other_files;
mod overwrite;
mod process;
mod server;
mod settings;
mod standing;
mod swap;
mod units;
mod version;

use crate::admin::{Result, release};

pub use data_directory::Door;
pub use enable::{ClearOriginal, destroy_for_reset, find_original, tell_at_login};
pub use standing::{Standing, Unit, look};
pub(super) use units::{put_gate_in_front, take_gate_away};

/// What `stayput mariadb` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum MariadbCommand {
    /// Encrypt MariaDB with the keys that stayput releases
    ///
    /// It is rehearsed on the running server first. Then MariaDB is stopped, and everything is
    /// copied into a new, encrypted data directory and compared. The original stays, closed, until
    /// the server has started again; then it is overwritten. If it fails or the power goes, run it
    /// again.
    Enable(enable::EnableOptions),
    /// Destroy the clear original that `enable` has left
    DestroyOriginal(enable::DestroyOptions),
    /// Check every key and setting, then open the data directory (MariaDB's unit runs it)
    Gate,
    /// Close the data directory (MariaDB's unit runs it)
    Close,
    /// Remove the keys if that is the policy, now that they were read (MariaDB's unit runs it)
    Started,
    /// Go on with a run of `enable` (stayput-mariadb-enable.service runs it)
    #[command(hide = true)]
    Continue,
    /// Put things back after a run of `enable` (stayput-mariadb-enable.service runs it)
    #[command(hide = true)]
    LetGo,
}

/// # Errors
/// What the command says.
pub fn run(command: &MariadbCommand) -> Result<()> {
    match command {
        MariadbCommand::Enable(options) => enable::enable(options),
        MariadbCommand::DestroyOriginal(options) => enable::destroy_original(options),
        MariadbCommand::Gate => gate::gate(),
        MariadbCommand::Close => {
            enable::tell_at_login();
            gate::close()
        }
        MariadbCommand::Started => release::after_start(),
        MariadbCommand::Continue => enable::go_on(),
        MariadbCommand::LetGo => enable::let_go(),
    }
}
