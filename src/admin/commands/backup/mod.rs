//! `stayput backup`: makes backups of the database, shows and verifies them.

mod automatic;
mod content;
mod forget;
mod identity;
mod include;
mod keep;
mod list;
mod make;
mod not_kept;
mod pipe;
mod plugged;
mod verify;

use std::path::{Path, PathBuf};

use crate::admin::backup::{Found, Place, find_all, released_manifest_keys};
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Exit, Problem, Result};
use crate::backup::ManifestKeys;
use crate::vault::ServerId;

#[cfg(test)]
pub use list::example;

/// What `stayput backup` can be asked for.
#[derive(clap::Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BackupOptions {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    #[command(flatten)]
    make: make::MakeOptions,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum BackupCommand {
    /// Show the backups of this server that are in a place
    List(FromOptions),
    /// Read backups to their end, and tell whether they are what was written
    ///
    /// Exit code 0 says that all of them are, or the one that was named.
    Verify(verify::VerifyOptions),
    /// Remove backups, by their numbers or by rules
    ///
    /// The newest whole one stays.
    Forget(forget::ForgetOptions),
    /// Have a backup made of each stick with backups that is plugged in, or not
    ///
    /// A stick that holds backups of this server gets one within seconds, and every four
    /// minutes after that when something has changed.
    Automatic(automatic::AutomaticOptions),
    /// What stayput-backup.service runs
    #[command(hide = true)]
    Plugged(plugged::PluggedOptions),
    /// Print the secret by which `age` alone reads the backups
    ///
    /// It is as secret as the rows. The vault is opened by the place, or with --stick,
    /// --passphrase or --code.
    Identity(identity::IdentityOptions),
}

/// Where backups lie.
#[derive(clap::Args, Clone, Debug)]
struct FromOptions {
    /// A directory, or a stick such as /dev/sdb1
    #[arg(long, value_name = "PLACE")]
    from: PathBuf,
}

impl BackupOptions {
    /// Whether it prints a document for scripts.
    pub fn has_document(&self) -> bool {
        matches!(self.command, Some(BackupCommand::List(_)))
    }
}

/// # Errors
/// What the command says.
pub fn run(options: &BackupOptions, for_scripts: bool) -> Result<()> {
    match &options.command {
        None => make::make(&options.make)?.must_have_left_the_others(),
        Some(BackupCommand::List(options)) => list::list(options, for_scripts),
        Some(BackupCommand::Verify(options)) => verify::verify(options),
        Some(BackupCommand::Forget(options)) => forget::forget(options),
        Some(BackupCommand::Automatic(options)) => automatic::automatic(options),
        Some(BackupCommand::Plugged(options)) => plugged::plugged(options),
        Some(BackupCommand::Identity(options)) => identity::identity(options),
    }
}

/// A place that is looked at.
struct Looked {
    place: Place,
    server: ServerId,
    keys: ManifestKeys,
    found: Vec<Found>,
}

/// # Errors
/// When the place cannot be read, or the manifests' key is not in memory.
fn look(from: &Path) -> Result<Looked> {
    let server = open_vault_read_only()?.header().server_id;
    let keys = released_manifest_keys()?;
    let place = Place::for_reading(from, &server)?;
    let found = find_all(&place, &keys, &server)?;
    Ok(Looked {
        place,
        server,
        keys,
        found,
    })
}

fn usage(what: impl Into<String>) -> Problem {
    Problem::new(
        Exit::Usage,
        what,
        "`stayput help backup` tells how it is used.",
    )
}
