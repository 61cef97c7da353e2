//! `stayput stick verify`: opens the vault with a stick, as a boot would.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::make::not_written;
use super::{doubt, must_be_usable_stick, must_still_be, not_read, tell_what_it_counts_for};
use crate::admin::ask;
use crate::admin::open_vault::open_vault;
use crate::admin::pending_reset::reminder;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::admin::ways_copies;
use crate::keys::UnsealedWayKey;
use crate::stick::{self, Stick, StickError, StickFile};
use crate::sys::clock;
use crate::vault::{EventKind, WaysCopy};

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
    let known = vault.unproven_ways().unwrap_or_default();
    let opened = found.file.open_in(vault.header(), known.as_claimed(), &pin);
    let key = opened.map_err(|error| {
        Problem::new(
            Exit::Locked,
            error.to_string(),
            "Run the command again; a stick whose PIN is lost is made anew with `stayput stick \
             make`.",
        )
    })?;
    let mut unlocked = Unlocked::new(vault, key)?;
    renew((device, &stick), &mut unlocked, &found.file, &pin)?;
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
    if found.both_whole {
        return Ok(());
    }
    Err(Problem::failed(
        "One of the two copies on it is damaged or missing; the other one still opens.",
        "Make the stick anew soon, best on a new one: stayput stick make",
    ))
}

/// Brings the stick and what the vault has of it up to now, with a new way key where the
/// one of before may be known to somebody: its PIN is at hand.
fn renew(
    (device, stick): (&Path, &Stick),
    unlocked: &mut Unlocked,
    file: &StickFile,
    pin: &[u8],
) -> Result<()> {
    let mut ways = unlocked.ways()?;
    let (header, key) = (
        unlocked.vault.header().clone(),
        unlocked.master_key().clone(),
    );
    let id = file.info.stick_id;
    let unknown = |_| not_read(device, StickError::Damaged);
    let own = file.way_key(pin).map_err(unknown)?;
    let kept = ways.way_key_of_stick(&header, &key, id);
    // The one of the file holds: what the vault has may be of a renewal that was cut off.
    let kept = kept.filter(|kept| kept.key == own);
    let made_in = kept.as_ref().map_or(0, |kept| kept.made_in);
    if made_in == header.generation && file.generation == header.generation {
        return Ok(());
    }
    let (renewed, way_key) = match made_in == header.generation || header.generation == 1 {
        true => {
            let way_key = UnsealedWayKey {
                key: own,
                made_in: header.generation,
            };
            (file.renewed(&way_key.key, unlocked.keys()), way_key)
        }
        false => file.with_new_way(pin, unlocked.keys()).map_err(unknown)?,
    };
    // Its PIN was asked for. As long as it is open, the kernel gives its name to no other
    // one.
    let _held = File::open(device).map_err(|error| not_written(device, &error))?;
    must_still_be(stick, device)?;
    doubt(unlocked, &[id])?;
    ways.note_stick(&header, &key, id, &way_key, header.generation);
    let copy = WaysCopy::of(&header, &ways);
    // The stick first: it then opens by itself, whatever the vault has of it.
    stick::write(device, &renewed, &copy).map_err(|error| not_written(device, &error))?;
    unlocked.set_ways(&ways)?;
    println!("The key file on it was renewed.");
    ways_copies::write_beside(unlocked)
}
