//! The proofs that the original may be destroyed. Each is a type that only its own
//! check can make, and [`MayDestroy`] needs them all.

use std::fs;
use std::path::Path;

use crate::admin::durable::Filesystem;
use crate::admin::mariadb::data_directory::{DataDirectory, Door};
use crate::admin::mariadb::gate::{close, gate};
use crate::admin::mariadb::occupants;
use crate::admin::mariadb::process::serves_from;
use crate::admin::problem::{Problem, Result};

use crate::admin::mariadb::run_records::journal::{Journal, Stage};

/// All that was written to the copy's filesystem is on the disk.
#[derive(Debug)]
pub struct OnDisk(());

/// The unit's own mariadbd works in the copy.
#[derive(Debug)]
pub struct Serving(());

/// Nobody works in the original.
#[derive(Debug)]
pub struct Unused(());

/// The copy was compared with the original, and the gate was seen to close and to open,
/// or the copy to need no key: the journal was brought to [`Stage::Waiting`] after both.
#[derive(Debug)]
pub struct Noted(());

/// The permission to destroy the original.
#[derive(Debug)]
pub struct MayDestroy(());

impl MayDestroy {
    /// The permission, for whoever has all four proofs.
    pub fn with(_: &OnDisk, _: &Serving, _: &Unused, _: &Noted) -> Self {
        Self(())
    }
}

/// Waits until the copy is on the disk. `filesystem` was opened before the
/// first byte of the copy was written: then it learns of every write that failed,
/// also where another program learnt of it first.
///
/// # Errors
/// When the kernel could not write all of it.
pub fn on_disk(filesystem: &Filesystem) -> Result<OnDisk> {
    filesystem.sync().map(OnDisk).map_err(|error| {
        Problem::failed(
            format!("The disk did not take all of the copy: {error}."),
            "Look at `dmesg`: is the disk full or failing?",
        )
    })
}

/// Checks that the unit's process serves from the copy.
///
/// # Errors
/// When it does not, or when that cannot be told.
pub fn serving(real: &Path) -> Result<Serving> {
    serves_from(real).map(|_| Serving(()))
}

/// Checks that nobody works in the original.
///
/// # Errors
/// Names who does; also when that cannot be told.
pub fn unused(original: &Path) -> Result<Unused> {
    let next = "End what uses it, then run the command again.";
    if fs::symlink_metadata(original).is_err() {
        // Part of it is destroyed already, or all.
        return Ok(Unused(()));
    }
    let found = occupants::of(original, &[]).map_err(|error| {
        Problem::failed(
            format!(
                "Who works in {} cannot be told: {error}.",
                original.display()
            ),
            "Run the command again as root.",
        )
    })?;
    if found.is_empty() {
        return Ok(Unused(()));
    }
    let all: Vec<String> = found.iter().take(5).map(ToString::to_string).collect();
    Err(Problem::refused(
        format!(
            "The original in {} is in use: {}.",
            original.display(),
            all.join(", ")
        ),
        next,
    ))
}

/// What the journal proves.
pub fn noted(journal: &Journal) -> Option<Noted> {
    (journal.stage >= Stage::Waiting).then_some(Noted(()))
}

/// Opens the gate and closes it again, and checks the result each time. A MariaDB
/// that runs in the copy already has passed the gate; it is left alone.
///
/// # Errors
/// When the gate refuses, or the door is not as it should be.
pub fn gate_works(data: &DataDirectory) -> Result<()> {
    let not = |what: &str| {
        Problem::failed(
            format!("{} {what}.", data.seen().display()),
            "Look at `dmesg` and `findmnt`.",
        )
    };
    let door = || {
        let door = data.door();
        door.map_err(|error| not(&format!("cannot be looked at: {error}")))
    };
    if serves_from(data.real()).is_ok() && door()? == Door::Open {
        return Ok(());
    }
    gate()?;
    if door()? != Door::Open {
        return Err(not("did not open, although the gate let it pass"));
    }
    close()?;
    match door()? {
        Door::Covered | Door::Bare => Ok(()),
        // Something else has started it through the gate in between.
        Door::Open if serves_from(data.real()).is_ok() => Ok(()),
        _ => Err(not("did not close")),
    }
}
