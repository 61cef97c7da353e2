//! `stayput mariadb`: MariaDB encrypted with the released keys, and the gate
//! in front of it.

pub(super) mod cold_backups;
mod config;
mod copying;
mod data_directory;
pub(super) mod durable;
mod enable;
mod gate;
mod judge;
mod other_files;
mod overwrite;
mod server;
mod settings;
mod standing;
mod swap;
mod units;

use crate::admin::{Result, UnlockOptions, ask, release, unlock};

pub use data_directory::Door;
pub use enable::{Enrolment, enable};
pub use standing::{Standing, Unit, look};
use swap::{SwapChoice, System};
pub(super) use units::{put_gate_in_front, take_gate_away};

/// What `stayput mariadb` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum MariadbCommand {
    /// Encrypt MariaDB with the keys that stayput releases
    ///
    /// An existing database is copied into a new, encrypted data directory.
    /// The original stays until both were compared; then it is overwritten.
    /// If it fails or the power goes, run it again.
    Enable(EnableOptions),
    /// Check every key and setting, then open the data directory (MariaDB's unit runs it)
    Gate,
    /// Close the data directory (MariaDB's unit runs it)
    Close,
    /// Remove the keys if that is the policy, now that they were read (MariaDB's unit runs it)
    Started,
}

/// How MariaDB is encrypted.
#[derive(Clone, Debug, clap::Args)]
pub struct EnableOptions {
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
    /// Replace clear swap, in which keys could get onto the disk
    #[arg(long, value_name = "HOW")]
    swap: Option<SwapChoice>,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// # Errors
/// What the command says.
pub fn run(command: &MariadbCommand) -> Result<()> {
    match command {
        MariadbCommand::Enable(options) => enable_here(options),
        MariadbCommand::Gate => gate::gate(),
        MariadbCommand::Close => gate::close(),
        MariadbCommand::Started => release::after_start(),
    }
}

fn enable_here(options: &EnableOptions) -> Result<()> {
    let system = System::here();
    if options.swap.is_none() {
        swap::refuse_clear_memory(&system)?;
    }
    let mut unlocked = unlock(&options.unlock)?;
    ask::confirm(
        "MariaDB is stopped while its data is copied, and the clear original is destroyed at the \
         end. Go on?",
        options.yes,
    )?;
    if let Some(choice) = options.swap {
        swap::apply(choice, &system)?;
        swap::refuse_clear_memory(&system)?;
    }
    let master_key = unlocked.master_key().clone();
    enable(Enrolment {
        master_key: &master_key,
        record: &mut |released| {
            unlocked.set_mariadb(released)?;
            release::put(&master_key, &unlocked.proven.policy)
        },
    })
}
