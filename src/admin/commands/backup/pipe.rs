//! `stayput backup --to -`: a backup into a pipe.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Stdout, Write, stdout};

use super::content::Backup;
use super::usage;
use crate::admin::backup::{Archive, Content, Place};
use crate::admin::output;
use crate::admin::problem::Result;
use crate::backup::{MANIFEST, WAYS};

/// Where a backup goes that goes nowhere else.
pub const PIPE: &str = "-";

/// What the backup is written to.
///
/// # Errors
/// Where it is a terminal, or is asked to be thinned.
pub fn pipe(is_thinned: bool) -> Result<Stdout> {
    if is_thinned {
        return Err(usage("What a pipe leads to cannot be thinned from here."));
    }
    if stdout().is_terminal() {
        return Err(usage(
            "Standard output is a terminal: put `| ...` behind it.",
        ));
    }
    Ok(output::keep_for_an_archive())
}

/// Writes the backup into the archive, the manifest last: by it the rest is a backup.
///
/// # Errors
/// When it cannot be made, or nobody reads the pipe any more.
pub fn send(
    backup: &mut Backup<'_>,
    place: &Place,
    name: &str,
    archive: &RefCell<Archive<Stdout>>,
) -> Result<()> {
    let at = |error: io::Error| place.problem(&error);
    let folder = place.folder()?.make(name).map_err(at)?;
    let streams = backup.write_parts(place, &folder)?;
    let manifest = backup.manifest(streams)?;
    let mut archive = archive.borrow_mut();
    archive.take(&folder, WAYS).map_err(at)?;
    let file = folder.create(MANIFEST);
    file.and_then(|mut file| file.write_all(&manifest))
        .and_then(|()| archive.take(&folder, MANIFEST))
        .and_then(|()| archive.end())
        .map_err(at)
}
