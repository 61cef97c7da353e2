//! `stayput backup automatic`: whether sticks get backups by themselves.

use crate::admin::backup_service;
use crate::admin::installed_files::put_command;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::problem::{Problem, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Automatic {
    /// A stick that holds backups of this server gets one when it is plugged in
    On,
    /// Backups are made by `stayput backup --to` alone
    Off,
}

#[derive(clap::Args, Clone, Debug)]
pub struct AutomaticOptions {
    #[arg(value_enum)]
    wanted: Automatic,
}

/// Runs `stayput backup automatic`.
///
/// # Errors
/// Where the database is not encrypted with keys from here; what the filesystem or systemd
/// says.
pub fn automatic(options: &AutomaticOptions) -> Result<()> {
    if options.wanted == Automatic::Off {
        backup_service::remove()?;
        println!("Backups are made by `stayput backup --to PLACE` alone.");
        return Ok(());
    }
    if !is_enabled() {
        return Err(Problem::refused(
            "This server's database is not encrypted with keys from here.",
            "Run: stayput mariadb enable",
        ));
    }
    put_command()?;
    backup_service::put()?;
    println!(
        "A stick that holds backups of this server gets one when it is plugged in, and every \
         four minutes\nafter that when something has changed. The console and `stayput status` \
         say when it may be\npulled out. A new stick becomes one of these by its first backup: \
         stayput backup --to /dev/sdb1"
    );
    Ok(())
}
