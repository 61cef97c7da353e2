//! `stayput release`: puts the keys into memory, as a boot does, or removes them.

mod wait;

use std::io::ErrorKind;
use std::time::Duration;

use crate::admin::mariadb_service::is_starting;
use crate::admin::problem::{Problem, Result};
use crate::admin::skipped_units;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::admin::watch_service;
use crate::release::{self, Turn, no_start, without_keys};
use crate::sys::at_end::put_back_at_end;
use crate::vault::EventKind;

#[derive(clap::Args, Clone, Debug)]
pub struct ReleaseOptions {
    /// Remove them again; a MariaDB that runs goes on
    #[arg(long, conflicts_with = "no_start")]
    take_back: bool,
    /// Do not start MariaDB, nor what needs it and was not started without it
    #[arg(long)]
    no_start: bool,
    /// Wait for the place: look for it again and again, then release and start
    /// (stayput-release.service runs it)
    #[arg(long, conflicts_with_all = ["take_back", "no_start", "stick", "passphrase", "code"])]
    wait: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

const TURN_WAITS: Duration = Duration::from_secs(10);

impl ReleaseOptions {
    /// Whether a unit runs it, and no person.
    pub const fn is_run_by_a_unit(&self) -> bool {
        self.wait
    }
}

/// Runs `stayput release`.
///
/// # Errors
/// When the vault does not open, or the keys cannot be put or removed.
pub fn run(options: &ReleaseOptions) -> Result<()> {
    if options.take_back {
        return remove_keys();
    }
    if options.wait {
        return wait::run();
    }
    let mut unlocked = unlock(&options.unlock)?;
    let started_without = without_keys::is_there();
    release::release(unlocked.keys(), &unlocked.proven.policy)?;
    let has_database = unlocked.proven.policy.mariadb.is_some();
    if has_database {
        println!("The keys are in memory.");
    } else {
        println!("Nothing is released on this server yet. Next: stayput mariadb enable");
    }
    unlocked.log(EventKind::ReleasedByHand)?;
    // With a stick the server may have been opened in another place than before.
    if options.unlock.stick.is_some() || started_without {
        watch_service::UNIT.start_anew();
    }
    drop(unlocked);
    match has_database && !options.no_start {
        true => skipped_units::start_database(),
        false => Ok(()),
    }
}

fn remove_keys() -> Result<()> {
    // Another of these commands would take this one's mark for an alarm's.
    let turn = Turn::take(TURN_WAITS).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => Problem::refused(
            "Another command is putting keys into memory, or removing them.",
            "Wait until it is done, then run the command again.",
        ),
        _ => Problem::of_file("/run", &error),
    })?;
    // Nothing that begins now reads keys that are just going. Where an alarm has left
    // the mark it stays.
    let was_held = no_start::is_forbidden();
    let end = put_back_at_end(move || {
        if !was_held {
            no_start::allow(&turn);
        }
    });
    no_start::forbid().map_err(|error| Problem::of_file("/run", &error))?;
    let removed = match is_starting() {
        true => Err(Problem::refused(
            "MariaDB is being started; without its keys it would lose rows.",
            "Nothing was changed. Wait until it runs, then run the command again.",
        )),
        false => Ok(release::remove_keys()),
    };
    drop(end);
    if !removed?? {
        println!("No keys are in memory: there was nothing to remove.");
        return Ok(());
    }
    println!("The keys are removed. A MariaDB that runs goes on.");
    if release::leaves_when_read() {
        println!("Its next start brings them back where this place opens the vault.");
    } else {
        println!("Before its next start: stayput release");
    }
    Ok(())
}
