//! The copies of the ways in that stand outside the vault, and the sticks that are
//! plugged in: brought up to what the vault has now.

use std::fs::File;
use std::path::Path;

use crate::admin::durable::write_durably;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::stick::{self, PluggedKeys, StickFile};
use crate::vault::{Header, WAYS_COPY, Ways, WaysCopy};

/// What became of one stick that is plugged in.
pub struct PluggedStick {
    /// What stands on it.
    pub label: String,
    /// Why it was not renewed.
    pub failed: Option<String>,
}

/// Writes what the vault has now beside vault.conf.
///
/// # Errors
/// When it cannot be written.
pub fn write_beside(unlocked: &Unlocked) -> Result<()> {
    let copy = WaysCopy::of(unlocked.vault.header(), &unlocked.ways()?);
    write_durably(Path::new(WAYS_COPY), &copy.encode()).map_err(|error| {
        Problem::failed(
            format!("{WAYS_COPY} cannot be written: {error}."),
            "The vault itself has it. Make room, or mount the disk writable, then run: stayput \
             stick verify",
        )
    })
}

/// The same stick for the master key of now, if the vault has its way key; a stick that
/// is of now is given back as it is. `None` where it has to be opened with its PIN.
pub fn renewed(unlocked: &Unlocked, ways: &Ways, file: &StickFile) -> Option<StickFile> {
    let (header, keys) = (unlocked.vault.header(), unlocked.keys());
    let way_key = ways.way_key_of_stick(header, keys.current(), file.info.stick_id)?;
    match file.generation == header.generation {
        true => Some(file.clone()),
        false => Some(file.renewed(&way_key.key, keys)),
    }
}

/// Renews every stick of this server that is plugged in, without its PIN: its key file,
/// and the copy of the ways in beside it.
///
/// # Errors
/// When the vault cannot be read or written.
pub fn renew_plugged(unlocked: &mut Unlocked) -> Result<Vec<PluggedStick>> {
    let plugged = PluggedKeys::beside(&unlocked.vault);
    let mut ways = unlocked.ways()?;
    let mut all = Vec::new();
    for volume in plugged.volumes() {
        // As long as it is open, the kernel gives its name to no other one.
        let Ok(_held) = File::open(volume) else {
            continue;
        };
        let Ok(file) = stick::read(volume, unlocked.vault.header()) else {
            continue;
        };
        let label = file.info.label.to_string();
        let failed = match renewed(unlocked, &ways, &file) {
            None => Some("its PIN is needed: stayput stick verify".to_owned()),
            Some(file) => {
                let header = unlocked.vault.header();
                let written = put(volume, header, &file, &WaysCopy::of(header, &ways));
                if written.is_ok() {
                    note_file(&mut ways, file.info.stick_id, file.generation);
                }
                written.err()
            }
        };
        all.push(PluggedStick { label, failed });
    }
    if all.iter().any(|stick| stick.failed.is_none()) {
        unlocked.set_ways(&ways)?;
    }
    Ok(all)
}

/// Writes the stick and reads it back. Whatever interrupts it, one of the two copies is
/// whole and opens the server, so its mark on the list stays true.
fn put(
    volume: &Path,
    header: &Header,
    file: &StickFile,
    copy: &WaysCopy,
) -> std::result::Result<(), String> {
    stick::write(volume, file, copy).map_err(|error| error.to_string())?;
    match stick::read_copies(volume, header) {
        Ok(found) if found.both_whole && found.file == *file => Ok(()),
        Ok(_) => Err("it does not give back what was written to it.".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Notes of which generation a stick's own file is.
fn note_file(ways: &mut Ways, id: [u8; 8], generation: u32) {
    for known in ways.sticks.iter_mut().filter(|known| known.id == id) {
        known.file = generation;
    }
}

/// Says what became of the sticks that are plugged in.
pub fn tell(sticks: &[PluggedStick]) {
    for PluggedStick { label, failed } in sticks {
        match failed {
            None => println!("The stick \"{label}\" has it too."),
            Some(why) => println!("The stick \"{label}\" was not renewed: {why}"),
        }
    }
}
