//! Reads an initramfs as the kernel unpacks it (init/initramfs.c): archives one behind the
//! other, compressed or not. Nothing is written to a disk.

#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitStatus;
use std::rc::Rc;

use super::compression::Compression;
use super::cpio::Archive;
use super::decompressor::Decompressor;
use super::tree::{Node, Tree};
use super::walk::invalid;
use crate::admin::filled::fill;

/// Bytes of an unpacked initramfs, at most. They are read, not kept.
const UNPACKED_MAX: u64 = 4 << 30;
/// Bytes of one file that are kept.
const FILE_MAX: u32 = 64 << 20;
/// Bytes of all contents and names that are kept.
const KEPT_MAX: usize = 256 << 20;
/// Files and folders.
const ENTRIES_MAX: usize = 500_000;
/// Looks into the tree: one for each folder on the way to a file, and each name of one with
/// several. Deep folders, links that lead to links and a file with thousands of names take
/// many more than an image has bytes.
const LOOKS_MAX: usize = 20 * ENTRIES_MAX;
/// Bytes of what a symbolic link leads to: the kernel's own limit.
const TARGET_MAX: u32 = 4096;

/// Compressed parts. A program is started for each.
const PARTS_MAX: usize = 64;

/// Reads an image. Of the files for which `is_wanted` says so the content is kept.
///
/// # Errors
/// Why it cannot be read.
pub fn read_image(path: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<Tree> {
    let mut reading = Reading::new(is_wanted);
    reading.image(&mut File::open(path)?, |reading, part| {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(part.at))?;
        let bytes = file.take(part.length.unwrap_or(u64::MAX));
        let mut stream = Decompressor::start(part.compression, bytes)?;
        reading.unpacked(&mut stream.output)?;
        part.has_ended(stream.end()?)
    })?;
    Ok(reading.tree)
}

/// Reads an image over the files of `tree`, with these bytes in place of what a program
/// unpacks each compressed part to.
///
/// # Errors
/// Why it cannot be read.
#[cfg(feature = "fuzzing")]
pub fn read_parts(
    mut image: impl Read + Seek,
    unpacked: &[u8],
    tree: Tree,
    is_wanted: impl Fn(&str) -> bool,
) -> io::Result<Tree> {
    let mut reading = Reading::new(is_wanted);
    reading.tree = tree;
    reading.image(&mut image, |reading, _| reading.unpacked(unpacked))?;
    Ok(reading.tree)
}

/// A compressed part of an image.
struct Part {
    compression: &'static Compression,
    /// Where it begins, in bytes.
    at: u64,
    /// Bytes; `None` where it goes up to the image's end, as far as can be told.
    length: Option<u64>,
}

impl Part {
    /// # Errors
    /// The program that unpacks it has failed.
    fn has_ended(&self, status: ExitStatus) -> io::Result<()> {
        if status.success() {
            return Ok(());
        }
        let program = self.compression.program;
        let behind = match self.length {
            Some(_) => "",
            None => "; if something follows that part: that cannot be told",
        };
        Err(io::Error::other(format!(
            "{program} failed: {status}{behind}"
        )))
    }
}

/// Archives may have zeroes between them. Returns where they end.
fn skip_zeroes(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut buffer = [0; 4096];
    loop {
        let at = file.stream_position()?;
        let read = fill(file, &mut buffer)?;
        match buffer[..read].iter().position(|byte| *byte != 0) {
            Some(zeroes) => return file.seek(SeekFrom::Start(at + zeroes as u64)),
            None if read == 0 => return Ok(at),
            None => {}
        }
    }
}

struct Reading<F> {
    tree: Tree,
    is_wanted: F,
    /// Bytes of contents and names that were kept.
    kept: usize,
    entries: usize,
    /// How often the tree was looked into.
    looks: usize,
    /// Bytes that were read.
    read: u64,
}

impl<F: Fn(&str) -> bool> Reading<F> {
    fn new(is_wanted: F) -> Self {
        Self {
            tree: Tree::default(),
            is_wanted,
            kept: 0,
            entries: 0,
            looks: 0,
            read: 0,
        }
    }

    /// All that the kernel unpacks of an image; `unpack` reads a compressed part.
    fn image(
        &mut self,
        file: &mut (impl Read + Seek),
        mut unpack: impl FnMut(&mut Self, &Part) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut parts = 0;
        loop {
            let at = skip_zeroes(file)?;
            let mut start = [0; 6];
            let length = fill(file, &mut start)?;
            file.seek(SeekFrom::Start(at))?;
            let start = &start[..length];
            let length = if start.starts_with(b"07070") && at.is_multiple_of(4) {
                self.archive(BufReader::new(&mut *file))?
            } else if let Some(compression) = Compression::that_begins(start) {
                parts += 1;
                if parts > PARTS_MAX {
                    return Err(invalid("it has too many parts"));
                }
                let length = compression.length(file)?;
                let part = Part {
                    compression,
                    at,
                    length,
                };
                unpack(self, &part)?;
                let Some(length) = length else {
                    return Ok(());
                };
                length
            } else if start.is_empty() || self.entries > 0 {
                // The kernel ends with what it does not know, and keeps what it has unpacked.
                return Ok(());
            } else {
                return Err(invalid("it has an unknown format"));
            };
            file.seek(SeekFrom::Start(at + length))?;
        }
    }

    /// All archives of a part that was unpacked.
    fn unpacked(&mut self, mut from: impl Read) -> io::Result<()> {
        let mut at = 0_u64;
        loop {
            let mut byte = [0];
            if fill(&mut from, &mut byte)? == 0 {
                return Ok(());
            }
            at += if byte == [0] {
                self.count(1)?;
                1
            } else if at.is_multiple_of(4) {
                self.archive((&byte[..]).chain(&mut from))?
            } else {
                return Err(invalid("an archive begins where none may"));
            };
        }
    }

    /// More bytes of the unpacked image were read.
    fn count(&mut self, bytes: u64) -> io::Result<()> {
        self.read += bytes;
        match self.read > UNPACKED_MAX {
            true => Err(too_large()),
            false => Ok(()),
        }
    }

    /// The tree was looked into so often.
    fn look(&mut self, looks: usize) -> io::Result<()> {
        self.looks += looks;
        match self.looks > LOOKS_MAX {
            true => Err(too_large()),
            false => Ok(()),
        }
    }

    /// One archive; returns its length in bytes.
    fn archive(&mut self, from: impl Read) -> io::Result<u64> {
        let mut archive = Archive::new(from);
        self.look(1)?;
        let mut linked = HashMap::<_, Linked>::new();
        while let Some(entry) = archive.next_entry()? {
            self.entries += 1;
            if self.entries > ENTRIES_MAX || self.read + archive.position() > UNPACKED_MAX {
                return Err(too_large());
            }
            let is_link = entry.mode & 0o170_000 == 0o120_000;
            if is_link && entry.size > TARGET_MAX {
                // The kernel leaves it out.
                continue;
            }
            let content: Option<Rc<[u8]>> = match is_link || (self.is_wanted)(&entry.name) {
                true if entry.size > FILE_MAX => return Err(too_large()),
                true => Some(archive.content()?.into()),
                false => None,
            };
            self.kept += content.as_ref().map_or(0, |content| content.len());
            self.kept += entry.name.len() + size_of::<(String, Node)>();
            if self.kept > KEPT_MAX {
                return Err(too_large());
            }
            let mut node = Node {
                mode: entry.mode,
                content,
            };
            if entry.links > 1 {
                let linked = linked.entry(entry.inode).or_default();
                if entry.size > 0 {
                    linked.content.clone_from(&node.content);
                    for other in &linked.names {
                        let looks = self.tree.put(other, node.clone());
                        self.look(looks)?;
                    }
                } else if linked.content.is_some() {
                    node.content.clone_from(&linked.content);
                }
                self.kept += entry.name.len() + size_of::<String>();
                linked.names.push(entry.name.clone());
            }
            let looks = self.tree.put(&entry.name, node);
            self.look(looks)?;
        }
        self.count(archive.position())?;
        Ok(archive.position())
    }
}

/// An image that nobody looks into further.
pub fn too_large() -> io::Error {
    invalid("it is too large to look into")
}

/// A file with several names. Its content stands behind one of them, whichever.
#[derive(Default)]
struct Linked {
    names: Vec<String>,
    content: Option<Rc<[u8]>>,
}
