//! Reads an initramfs as the kernel unpacks it (init/initramfs.c): archives one behind the
//! other, compressed or not. Nothing is written to a disk.

#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
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

/// Compressed parts. A program is started for each.
const PARTS_MAX: usize = 64;

/// Reads an image. Of the files for which `is_wanted` says so the content is kept.
///
/// # Errors
/// Why it cannot be read.
pub fn read_image(path: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<Tree> {
    let mut reading = Reading {
        tree: Tree::default(),
        is_wanted,
        kept: 0,
        entries: 0,
        read: 0,
    };
    let mut file = File::open(path)?;
    let mut parts = 0;
    loop {
        let at = skip_zeroes(&mut file)?;
        let mut start = [0; 6];
        let length = fill(&mut file, &mut start)?;
        file.seek(SeekFrom::Start(at))?;
        let start = &start[..length];
        let length = if start.starts_with(b"07070") && at.is_multiple_of(4) {
            reading.archive(BufReader::new(&file))?
        } else if let Some(compression) = Compression::that_begins(start) {
            parts += 1;
            if parts > PARTS_MAX {
                return Err(invalid("it has too many parts"));
            }
            let length = compression.length(&mut file)?;
            file.seek(SeekFrom::Start(at))?;
            let part = file.take(length.unwrap_or(u64::MAX));
            reading.compressed(compression, part)?;
            let Some(length) = length else {
                return Ok(reading.tree);
            };
            file = File::open(path)?;
            length
        } else if start.is_empty() || reading.entries > 0 {
            // The kernel ends with what it does not know, and keeps what it has unpacked.
            return Ok(reading.tree);
        } else {
            return Err(invalid("it has an unknown format"));
        };
        file.seek(SeekFrom::Start(at + length))?;
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
    /// Bytes that were read.
    read: u64,
}

impl<F: Fn(&str) -> bool> Reading<F> {
    /// All archives of a compressed part.
    fn compressed(
        &mut self,
        compression: &Compression,
        part: impl Read + Send + 'static,
    ) -> io::Result<()> {
        let mut stream = Decompressor::start(compression, part)?;
        let mut at = 0_u64;
        loop {
            let mut byte = [0];
            if fill(&mut stream.output, &mut byte)? == 0 {
                break;
            }
            at += if byte == [0] {
                self.count(1)?;
                1
            } else if at.is_multiple_of(4) {
                self.archive((&byte[..]).chain(&mut stream.output))?
            } else {
                return Err(invalid("an archive begins where none may"));
            };
        }
        match stream.end()? {
            status if status.success() => Ok(()),
            status => {
                let program = compression.program;
                let behind = match compression.has_known_end() {
                    true => "",
                    false => "; if something follows that part: that cannot be told",
                };
                let what = format!("{program} failed: {status}{behind}");
                Err(io::Error::other(what))
            }
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

    /// One archive; returns its length in bytes.
    fn archive(&mut self, from: impl Read) -> io::Result<u64> {
        let mut archive = Archive::new(from);
        let mut linked = HashMap::<_, Linked>::new();
        while let Some(entry) = archive.next_entry()? {
            self.entries += 1;
            if self.entries > ENTRIES_MAX || self.read + archive.position() > UNPACKED_MAX {
                return Err(too_large());
            }
            let is_link = entry.mode & 0o170_000 == 0o120_000;
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
                        self.tree.put(other, node.clone());
                    }
                } else if linked.content.is_some() {
                    node.content.clone_from(&linked.content);
                }
                self.kept += entry.name.len() + size_of::<String>();
                linked.names.push(entry.name.clone());
            }
            self.tree.put(&entry.name, node);
        }
        self.count(archive.position())?;
        Ok(archive.position())
    }
}

fn too_large() -> io::Error {
    invalid("it is too large to look into")
}

/// A file with several names. Its content stands behind one of them, whichever.
#[derive(Default)]
struct Linked {
    names: Vec<String>,
    content: Option<Rc<[u8]>>,
}
