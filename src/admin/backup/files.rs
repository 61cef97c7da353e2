//! Writes a backup and removes one, by the steps of [`crate::backup::steps`].

use std::io::Write;

use crate::admin::problem::Result;
use crate::backup::steps::{MAKE, REMOVE, Step};
use crate::backup::{MANIFEST, Stream, UNFINISHED};

use super::folder::Folder;
use super::pipeline::read_through;
use super::place::Place;

/// What is written into a backup.
pub trait Content {
    /// Writes the parts into this folder.
    ///
    /// # Errors
    /// Whatever stands in the way; then there is no backup.
    fn write_parts(&mut self, folder: &Folder) -> Result<Vec<Stream>>;

    /// The manifest of these parts, which were read back by then.
    ///
    /// # Errors
    /// As above.
    fn manifest(&mut self, streams: Vec<Stream>) -> Result<Vec<u8>>;
}

/// Writes a backup of this name. What a failure leaves is removed, if the place lets it.
///
/// # Errors
/// What `content` says, and the filesystem; then there is no such backup.
pub fn write(place: &Place, name: &str, content: &mut dyn Content) -> Result<()> {
    let unfinished = format!("{name}{UNFINISHED}");
    let written = write_in(place, name, &unfinished, content);
    if written.is_err() {
        let _ = remove(place.folder(), &unfinished);
    }
    written
}

fn write_in(place: &Place, name: &str, unfinished: &str, content: &mut dyn Content) -> Result<()> {
    let folder = place.folder();
    let at = |done: std::io::Result<()>| done.map_err(|error| place.problem(&error));
    let inside = || {
        folder
            .open(unfinished)
            .map_err(|error| place.problem(&error))
    };
    let mut streams = Vec::new();
    for step in MAKE {
        match step {
            Step::MakeFolder => at(folder.make(unfinished).map(drop))?,
            Step::WriteParts => streams = content.write_parts(&inside()?)?,
            Step::Flush => at(folder.flush())?,
            Step::ReadBack => {
                println!("Reading it back.");
                for stream in &streams {
                    at(read_through(&inside()?, stream))?;
                }
            }
            Step::WriteManifest => {
                let bytes = content.manifest(std::mem::take(&mut streams))?;
                let file = inside()?.create(MANIFEST);
                at(file.and_then(|mut file| {
                    file.write_all(&bytes)?;
                    file.sync_all()
                }))?;
            }
            Step::NameFolder => at(folder.rename(unfinished, name))?,
            Step::RemoveManifest | Step::RemoveParts | Step::RemoveFolder => {}
        }
    }
    Ok(())
}

/// Removes backups of these names, whole ones or what is left of them.
///
/// # Errors
/// What the filesystem says of the first that cannot be removed.
pub fn remove_all<'a>(place: &Place, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    for name in names {
        remove(place.folder(), name).map_err(|error| place.problem(&error))?;
    }
    Ok(())
}

fn remove(folder: &Folder, name: &str) -> std::io::Result<()> {
    for step in REMOVE {
        match step {
            Step::RemoveManifest => folder.open(name)?.remove_file(MANIFEST)?,
            Step::Flush => folder.flush()?,
            Step::RemoveParts => {
                let inside = folder.open(name)?;
                for file in inside.names()? {
                    inside.remove_file(&file)?;
                }
            }
            Step::RemoveFolder => folder.remove_folder(name)?,
            _ => {}
        }
    }
    Ok(())
}
