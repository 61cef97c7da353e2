//! `stayput stick verify`: opens the vault with a stick, as a boot would.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::make::{not_written, would_be_lost};
use super::{doubt, must_be_usable_stick, must_still_be, not_read, tell_what_it_counts_for};
use crate::admin::ask;
use crate::admin::open_vault::{open_vault, ways_or_copies};
use crate::admin::pending_reset::reminder;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::{Unlocked, copies_for_stick};
use crate::admin::ways_copies;
use crate::stick::renewal;
use crate::stick::{self, Copies, Stick, StickError};
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
    let stick = must_be_usable_stick(device)?;
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
    let known = ways_or_copies(&vault, copies_for_stick(device, vault.header()));
    let opened = found.file.open_in(vault.header(), &known, &pin);
    let key = opened.map_err(|error| match error {
        StickError::Later | StickError::OtherKey => would_be_lost(device, error),
        error => Problem::new(
            Exit::Locked,
            error.to_string(),
            "Run the command again; a stick whose PIN is lost is made anew with `stayput stick \
             make`.",
        ),
    })?;
    let mut unlocked = Unlocked::new(vault, key)?;
    let written = renew((device, &stick), &mut unlocked, &found, &pin)?;
    let mut list = unlocked.proven.sticks.draft();
    let generation = unlocked.vault.header().generation;
    list.note_verified(info.known(generation, clock::now()));
    unlocked.set_sticks(list)?;
    unlocked.log(EventKind::StickVerified {
        stick: info.label.clone(),
    })?;
    println!("The stick \"{}\" opens this server.", info.label);
    tell_what_it_counts_for(&mut unlocked, &info.stick_id)?;
    if let Some(words) = reminder(&unlocked.proven.policy) {
        println!("{words}");
    }
    if written {
        return ways_copies::write_beside(&unlocked);
    }
    if found.both_whole {
        return Ok(());
    }
    Err(Problem::failed(
        "One of the two copies on it is damaged or missing; the other one still opens.",
        "Make the stick anew soon, best on a new one: stayput stick make",
    ))
}

/// Brings the stick and what the vault has of it up to now, with a new way key where the
/// one of before may be known to somebody: its PIN is at hand. Returns whether it was
/// written.
fn renew(
    (device, stick): (&Path, &Stick),
    unlocked: &mut Unlocked,
    found: &Copies,
    pin: &[u8],
) -> Result<bool> {
    let id = found.file.info.stick_id;
    let (ways, header) = (unlocked.ways()?, unlocked.vault.header());
    let steps = renewal::with_pin(found, pin, &ways, header, unlocked.keys());
    let steps = steps.map_err(|error| match error {
        StickError::Later | StickError::OtherKey => would_be_lost(device, error),
        error => not_read(device, error),
    })?;
    if steps.is_empty() {
        return Ok(false);
    }
    // Its PIN was asked for. As long as it is open, the kernel gives its name to no other
    // one.
    let _held = File::open(device).map_err(|error| not_written(device, &error))?;
    must_still_be(stick, device)?;
    doubt(unlocked, &[id])?;
    let written = ways_copies::carry_out(unlocked, device, id, &steps)?;
    written.map_err(|error| not_written(device, &error))?;
    println!("The key file on it was renewed.");
    Ok(true)
}
