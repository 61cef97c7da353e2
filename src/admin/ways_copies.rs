//! The copies of the ways in that stand outside the vault, and the sticks that are
//! plugged in: brought up to what the vault has now.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::admin::durable::write_durably;
use crate::admin::open_vault::copy_beside;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{ADOPTING, Unlocked};
use crate::stick::renewal::{self, RenewalStep};
use crate::stick::{self, PluggedKeys, StickError, StickFile, StickId};
use crate::vault::{KeyOfCopy, WAYS_COPY, WaysCopy};

/// What became of one stick that is plugged in.
pub struct PluggedStick {
    /// What stands on it.
    pub label: String,
    /// Why it was not renewed.
    pub failed: Option<String>,
}

/// Writes what the vault has now beside vault.conf. A copy that has a later key stays.
///
/// # Errors
/// When it cannot be written, or a master key would be lost with the one that is there.
pub fn write_beside(unlocked: &Unlocked) -> Result<()> {
    let header = unlocked.vault.header();
    let there = copy_beside(&header.server_id);
    let there = there.map(|copy| copy.compared_with_all(unlocked.keys()));
    match there {
        Some(KeyOfCopy::Later) => {
            return Err(Problem::refused(
                format!(
                    "{WAYS_COPY} is of a later key than this vault: an old copy of the vault is \
                     here."
                ),
                format!("It was left as it is. {ADOPTING}, with a stick that has it."),
            ));
        }
        Some(KeyOfCopy::Other) => {
            return Err(Problem::refused(
                format!(
                    "{WAYS_COPY} is of another key than this vault, which was replaced in an old \
                     copy of it."
                ),
                "Nothing was written there. Where backups of that key may be needed, keep the file \
                 under another name; then run: stayput stick renew",
            ));
        }
        Some(KeyOfCopy::Known) | None => {}
    }
    let copy = WaysCopy::of(header, &unlocked.ways()?);
    write_durably(Path::new(WAYS_COPY), &copy.encode()).map_err(|error| {
        Problem::failed(
            format!("{WAYS_COPY} cannot be written: {error}."),
            "The vault itself has it. Make room, or mount the disk writable, then run: stayput \
             stick verify",
        )
    })
}

/// Gives the copy beside vault.conf another name where its master key is not one of this
/// vault: a vault that was made anew with an earlier key writes its own there. Returns
/// the name.
///
/// # Errors
/// When it cannot be renamed.
pub fn keep_unknown_copy(unlocked: &Unlocked) -> Result<Option<PathBuf>> {
    let Some(copy) = copy_beside(&unlocked.vault.header().server_id) else {
        return Ok(None);
    };
    if copy.compared_with_all(unlocked.keys()) == KeyOfCopy::Known {
        return Ok(None);
    }
    let taken = |name: &PathBuf| name.symlink_metadata().is_ok();
    let mut names = (1..).map(|number| match number {
        1 => PathBuf::from(format!("{WAYS_COPY}.of-key-{}", copy.generation)),
        number => PathBuf::from(format!("{WAYS_COPY}.of-key-{}-{number}", copy.generation)),
    });
    let name = names
        .find(|name| !taken(name))
        .expect("there is always one more");
    fs::rename(WAYS_COPY, &name).map_err(|error| Problem::of_file(Path::new(WAYS_COPY), &error))?;
    Ok(Some(name))
}

/// Renews every stick of this server that is plugged in, without its PIN: its key file,
/// and the copy of the ways in beside it.
///
/// # Errors
/// When the vault cannot be read or written.
pub fn renew_plugged(unlocked: &mut Unlocked) -> Result<Vec<PluggedStick>> {
    let plugged = PluggedKeys::beside(&unlocked.vault);
    let mut all = Vec::new();
    for volume in plugged.volumes() {
        // As long as it is open, the kernel gives its name to no other one.
        let Ok(_held) = File::open(volume) else {
            continue;
        };
        let Ok(file) = stick::read(volume, unlocked.vault.header()) else {
            continue;
        };
        let (ways, header) = (unlocked.ways()?, unlocked.vault.header());
        let steps = renewal::without_pin(&file, &ways, header, unlocked.keys());
        let failed = match steps {
            Err(error @ StickError::Later) => Some(format!("{error} {ADOPTING}")),
            Err(error) => Some(error.to_string()),
            Ok(None) => Some("its PIN is needed: stayput stick verify".to_owned()),
            Ok(Some(steps)) => {
                let renewed = carry_out(unlocked, volume, file.info.stick_id, &steps)?;
                renewed.err().map(|error| error.to_string())
            }
        };
        let label = file.info.label.to_string();
        all.push(PluggedStick { label, failed });
    }
    Ok(all)
}

/// Takes these steps with the stick of this id on this volume, until one fails. The inner
/// error is the stick's.
///
/// # Errors
/// When the vault cannot be read or written, or has no room for one more stick.
pub fn carry_out(
    unlocked: &mut Unlocked,
    volume: &Path,
    id: StickId,
    steps: &[RenewalStep],
) -> Result<io::Result<()>> {
    for step in steps {
        if let RenewalStep::Write(file) = step {
            let copy = WaysCopy::of(unlocked.vault.header(), &unlocked.ways()?);
            if let Err(error) = put(volume, unlocked, file, &copy) {
                return Ok(Err(error));
            }
            continue;
        }
        let key = unlocked.master_key().clone();
        let has_room =
            unlocked.change_ways(|header, ways| step.note_in(ways, (header, &key), id))?;
        if !has_room {
            return Err(no_room());
        }
    }
    Ok(Ok(()))
}

/// The vault has as many sticks as fit.
pub fn no_room() -> Problem {
    Problem::refused(
        "The vault has no room for one more stick.",
        "Take one away that nobody has any more: stayput stick list, stayput stick remove",
    )
}

/// Writes the stick and reads it back. Whatever interrupts it, one of the two copies is
/// whole and opens the server, so its mark on the list stays true.
fn put(volume: &Path, unlocked: &Unlocked, file: &StickFile, copy: &WaysCopy) -> io::Result<()> {
    stick::write(volume, file, copy)?;
    match stick::read_copies(volume, unlocked.vault.header()) {
        Ok(found) if found.both_whole && found.file == *file => Ok(()),
        Ok(_) => Err(io::Error::other(
            "it does not give back what was written to it.",
        )),
        Err(error) => Err(io::Error::other(error)),
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
