//! `stayput stick verify`: opens the vault with a stick, as a boot would.

use std::path::PathBuf;

use super::{must_be_usable_stick, not_read, tell_what_it_counts_for};
use crate::admin::ask;
use crate::admin::open_vault::open_vault;
use crate::admin::pending_reset::reminder;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::stick;
use crate::sys::clock;
use crate::vault::EventKind;

#[derive(clap::Args, Clone, Debug)]
pub struct VerifyOptions {
    /// The stick: a disk or partition, for example /dev/sdb1
    device: PathBuf,
    /// Read the PIN from standard input
    #[arg(long)]
    pin_stdin: bool,
}

/// Runs `stayput stick verify`: the stick opens the vault, and that is noted.
///
/// # Errors
/// When it does not.
pub fn verify(options: &VerifyOptions) -> Result<()> {
    let device = options.device.as_path();
    must_be_usable_stick(device)?;
    let vault = open_vault()?;
    let found =
        stick::read_copies(device, vault.header()).map_err(|error| not_read(device, error))?;
    let info = found.file.info.clone();
    let pin = if info.has_pin() {
        ask::pin(
            &format!("PIN of stick \"{}\": ", info.label),
            options.pin_stdin,
        )?
    } else {
        ask::Pin::default()
    };
    let key = found.file.open(vault.header(), &pin).map_err(|error| {
        Problem::new(
            Exit::Locked,
            error.to_string(),
            "Run the command again; a stick whose PIN is lost is made anew with `stayput stick \
             make`.",
        )
    })?;
    let mut unlocked = Unlocked::new(vault, key)?;
    let mut list = unlocked.proven.sticks.draft();
    list.note_verified(info.known(clock::now()));
    unlocked.set_sticks(list)?;
    unlocked.log(EventKind::StickVerified {
        stick: info.label.clone(),
    })?;
    println!("The stick \"{}\" opens this server.", info.label);
    tell_what_it_counts_for(&mut unlocked, &info.stick_id)?;
    if let Some(words) = reminder(&unlocked.proven.policy) {
        println!("{words}");
    }
    if found.both_whole {
        return Ok(());
    }
    Err(Problem::failed(
        "One of the two copies on it is damaged or missing; the other one still opens.",
        "Make the stick anew soon, best on a new one: stayput stick make",
    ))
}
