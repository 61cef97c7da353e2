//! Writes a backup and removes one, by the steps of [`crate::backup::steps`].

use std::io::{self, Write};

use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::backup::steps::{MAKE, REMOVE, Step};
use crate::backup::{MANIFEST, Stream, UNFINISHED};
use crate::sys::mount::Access;

use super::folder::Folder;
use super::place::Place;
use super::stall::patiently;

/// What is written into a backup.
pub trait Content {
    /// Writes the parts into this folder of the place.
    ///
    /// # Errors
    /// Whatever stands in the way; then there is no backup.
    fn write_parts(&mut self, place: &Place, folder: &Folder) -> Result<Vec<Stream>>;

    /// The manifest of these parts.
    ///
    /// # Errors
    /// As above.
    fn manifest(&mut self, streams: Vec<Stream>) -> Result<Vec<u8>>;

    /// Reads the backup of this name from the disk and compares it with what was written.
    ///
    /// # Errors
    /// What is not as it was written; then there is no backup.
    fn read_back(&mut self, place: &Place, name: &str) -> Result<()>;
}

/// Writes a backup of this name. What a failure leaves is removed, if the place lets it. To a
/// place that does not hold what was written nothing more is written: it may harm older ones.
///
/// # Errors
/// What `content` says, and the filesystem; then there is no such backup.
pub fn write(place: &mut Place, name: &str, content: &mut dyn Content) -> Result<()> {
    let mut is_ours = false;
    let written = write_in(place, name, content, &mut is_ours);
    let may_be_written = |problem: &Problem| problem.kind != ProblemKind::NotKept;
    if is_ours && written.as_ref().is_err_and(may_be_written) {
        let _ = place.reopen(Access::ReadWrite);
        let _ = remove_all(place, [name]);
    }
    written
}

/// `is_ours` becomes true when the folder was made here.
fn write_in(
    place: &mut Place,
    name: &str,
    content: &mut dyn Content,
    is_ours: &mut bool,
) -> Result<()> {
    let mut streams = Vec::new();
    for step in MAKE {
        let at = |done: io::Result<()>| done.map_err(|error| place.problem(&error));
        let inside = || {
            let inside = place.folder()?.open(name);
            inside.map_err(|error| place.problem(&error))
        };
        let patient = |act: &dyn Fn() -> Result<()>| patiently(place.named(), act);
        match step {
            Step::MakeFolder => {
                patient(&|| at(place.folder()?.make_new(name)))?;
                *is_ours = true;
            }
            Step::Mark => patient(&|| at(inside()?.touch(UNFINISHED)))?,
            Step::WriteParts => streams = content.write_parts(place, &inside()?)?,
            Step::WriteManifest => {
                let bytes = content.manifest(std::mem::take(&mut streams))?;
                patient(&|| {
                    let file = inside()?.create(MANIFEST);
                    at(file.and_then(|mut file| {
                        file.write_all(&bytes)?;
                        file.sync_all()
                    }))
                })?;
            }
            Step::Flush => patient(&|| at(place.folder()?.flush()))?,
            Step::ReadBack => {
                println!("Reading it back.");
                place.reopen(Access::ReadOnly)?;
                let read = content.read_back(place, name);
                read.map_err(|problem| place.not_kept(problem))?;
                place.reopen(Access::ReadWrite)?;
            }
            Step::Unmark => patient(&|| at(inside()?.remove_file(UNFINISHED)))?,
            Step::RemoveFiles | Step::RemoveFolder => {}
        }
    }
    Ok(())
}

/// Removes backups of these names, whole ones or what is left of them.
///
/// # Errors
/// What the filesystem says of the first that cannot be removed.
pub fn remove_all<'a>(place: &Place, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let folder = place.folder()?;
    for name in names {
        remove(folder, name).map_err(|error| place.problem(&error))?;
    }
    Ok(())
}

fn remove(folder: &Folder, name: &str) -> io::Result<()> {
    for step in REMOVE {
        match step {
            Step::Mark => folder.open(name)?.touch(UNFINISHED)?,
            Step::Flush => folder.flush()?,
            Step::RemoveFiles => {
                let inside = folder.open(name)?;
                let names = inside.names()?.into_iter();
                for file in names.filter(|name| name != UNFINISHED) {
                    inside.remove_file(&file)?;
                }
            }
            Step::Unmark => folder.open(name)?.remove_file(UNFINISHED)?,
            Step::RemoveFolder => folder.remove_folder(name)?,
            _ => {}
        }
    }
    Ok(())
}
