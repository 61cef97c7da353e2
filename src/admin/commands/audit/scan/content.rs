//! Searches the content of one file, through everything that it is packed in.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::time::Instant;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::format::{FileFormat, GZIP, HEAD, JOURNAL, Unpacker, packed_as};
use super::not_searched::NotSearched;
use super::unpack::{Bounds, Unpacked};
use super::written_parts::WrittenParts;
use super::zip::{self, Method};
use super::{tar, zip::GZIP_HEAD};
use crate::admin::commands::audit::address_search::Needles;
use crate::admin::filled::fill;

/// Deepest nesting of archives in one file.
const MAX_NESTING: usize = 6;
/// Largest packed file within an archive. It is kept in memory, where the program
/// that unpacks it reads it.
const MEMBER_MAX: u64 = 64 * 1024 * 1024;

/// The search through one file.
pub struct ContentSearch<'a> {
    pub needles: &'a Needles,
    /// For each address whether it was found.
    pub found: Vec<bool>,
    /// The first thing that kept the search from a part of it.
    pub missed: Option<NotSearched>,
    /// What may still be unpacked.
    pub bounds: Bounds,
    /// Gets the size of each chunk in bytes.
    pub progress: &'a mut dyn FnMut(usize),
}

/// What is searched: a file, or what comes out of an archive.
enum Content<'a> {
    File(File, u64),
    Stream(&'a mut dyn Read),
}

impl ContentSearch<'_> {
    /// Searches a file of `length` bytes.
    pub fn file(&mut self, file: File, length: u64, name: &[u8]) {
        let named = packed_as(name).filter(|_| length > 0);
        if let Some(format) = named.filter(|_| is_plain(&file)) {
            self.miss(NotSearched::UnknownFormat(format));
        }
        self.nested(Content::File(file, length), 0);
    }

    fn miss(&mut self, why: NotSearched) {
        self.missed.get_or_insert(why);
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.miss(NotSearched::from(&error));
        }
    }

    fn nested(&mut self, content: Content<'_>, depth: usize) {
        let mut head = [0; HEAD];
        let (filled, content) = match content {
            Content::File(file, length) => match file.read_at(&mut head, 0) {
                Ok(filled) => (filled, Content::File(file, length)),
                Err(error) => return self.miss(NotSearched::from(&error)),
            },
            Content::Stream(stream) => match fill(stream, &mut head) {
                Ok(filled) => (filled, Content::Stream(stream)),
                Err(error) => return self.miss(NotSearched::from(&error)),
            },
        };
        let head = &head[..filled];
        let format = FileFormat::of(head);
        if depth == MAX_NESTING && format != FileFormat::Plain {
            self.miss(NotSearched::TooDeep);
            return self.plain(content, head);
        }
        match format {
            FileFormat::Plain => self.plain(content, head),
            FileFormat::Tar => self.tar(content, head, depth),
            FileFormat::Encrypted => {
                self.miss(NotSearched::Encrypted);
                self.plain(content, head);
            }
            FileFormat::Unknown(name) => {
                self.miss(NotSearched::UnknownFormat(name));
                // Some of it may not be packed.
                self.plain(content, head);
            }
            FileFormat::Packed(with) => self.packed(content, head, with, depth),
            FileFormat::Journal => self.packed(content, head, JOURNAL, depth),
            FileFormat::Zip => self.zip(content, head, depth),
        }
    }

    /// Searches the bytes as they are.
    fn plain(&mut self, content: Content<'_>, head: &[u8]) {
        let until = self.bounds.until;
        let result = match content {
            Content::File(file, length) => self.bytes(&mut WrittenParts::new(file, length, until)),
            Content::Stream(stream) => self.bytes(&mut Cursor::new(head).chain(stream)),
        };
        self.note(result);
    }

    fn bytes(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        self.needles.search(reader, &mut self.found, self.progress)
    }

    fn tar(&mut self, content: Content<'_>, head: &[u8], depth: usize) {
        let until = self.bounds.until;
        let (mut parts, mut stream);
        let archive: &mut dyn Read = match content {
            Content::File(file, length) => {
                parts = Sequential(file.take(length), until);
                &mut parts
            }
            Content::Stream(rest) => {
                stream = Cursor::new(head).chain(rest);
                &mut stream
            }
        };
        let result = tar::each_member(archive, &mut |header, member| {
            let named = self.bytes(&mut &header[..]);
            self.note(named);
            self.nested(Content::Stream(member), depth + 1);
        });
        self.note(result);
    }

    fn packed(&mut self, content: Content<'_>, head: &[u8], with: Unpacker, depth: usize) {
        let (file, length) = match into_file(content, head) {
            Ok(file) => file,
            Err(error) => return self.miss(NotSearched::from(&error)),
        };
        let again = file.try_clone();
        let whole = self.unpacked(file, with, depth);
        // What only looks packed, and the fields of a journal that are not.
        if (whole.is_err() || with == JOURNAL)
            && let Ok(file) = again
        {
            self.plain(Content::File(file, length), &[]);
        }
        if let Err(why) = whole {
            self.miss(why);
        }
    }

    fn unpacked(&mut self, file: File, with: Unpacker, depth: usize) -> Result<(), NotSearched> {
        let begun = Unpacked::begin(&mut with.command(), file, self.bounds);
        let mut unpacked = begun.map_err(|error| match error.kind() {
            ErrorKind::NotFound => NotSearched::NoProgram(with.name()),
            _ => NotSearched::from(&error),
        })?;
        let missed = self.missed.take();
        self.nested(Content::Stream(&mut unpacked), depth + 1);
        // A bound that was met says more than the program that was stopped there.
        let within = std::mem::replace(&mut self.missed, missed);
        self.bounds.bytes = self.bounds.bytes.min(unpacked.left());
        let finished = unpacked.finish();
        within.map_or(finished, Err)
    }

    fn zip(&mut self, content: Content<'_>, head: &[u8], depth: usize) {
        let (archive, length) = match into_file(content, head) {
            Ok(file) => file,
            Err(error) => return self.miss(NotSearched::from(&error)),
        };
        match zip::members(&archive, length) {
            Ok(members) => {
                for member in &members {
                    if let Err(why) = self.zip_member(&archive, member, depth) {
                        self.miss(why);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.miss(NotSearched::UnknownFormat("zip archives of this size"));
            }
            Err(error) => self.miss(NotSearched::from(&error)),
        }
        // The names of its files.
        self.plain(Content::File(archive, length), &[]);
    }

    fn zip_member(
        &mut self,
        archive: &File,
        member: &zip::Member,
        depth: usize,
    ) -> Result<(), NotSearched> {
        let until = self.bounds.until;
        let mut packed = Sequential(PartOf(archive, member.offset).take(member.packed), until);
        match member.method {
            Method::Encrypted => Err(NotSearched::Encrypted),
            Method::Other => Err(NotSearched::UnknownFormat("one of its members")),
            Method::Stored => {
                self.nested(Content::Stream(&mut packed), depth + 1);
                Ok(())
            }
            Method::Deflated => {
                let tail = member.gzip_tail();
                let mut gzip = GZIP_HEAD.chain(packed).chain(&tail[..]);
                let (file, _) = spooled(&mut gzip).map_err(|error| NotSearched::from(&error))?;
                self.unpacked(file, GZIP, depth)
            }
        }
    }
}

/// Whether its first bytes say nothing.
fn is_plain(file: &File) -> bool {
    let mut head = [0; HEAD];
    let filled = file.read_at(&mut head, 0);
    filled.is_ok_and(|filled| FileFormat::of(&head[..filled]) == FileFormat::Plain)
}

/// Reads up to a point in time, then fails with `TimedOut`.
struct Sequential<R>(R, Instant);

impl<R: Read> Read for Sequential<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match Instant::now() < self.1 {
            true => self.0.read(into),
            false => Err(ErrorKind::TimedOut.into()),
        }
    }
}

/// A file from an offset on.
struct PartOf<'a>(&'a File, u64);

impl Read for PartOf<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read_at(into, self.1)?;
        self.1 += read as u64;
        Ok(read)
    }
}

/// The content as a file that a program can read.
fn into_file(content: Content<'_>, head: &[u8]) -> io::Result<(File, u64)> {
    match content {
        Content::File(file, length) => Ok((file, length)),
        Content::Stream(stream) => spooled(&mut Cursor::new(head).chain(stream)),
    }
}

/// A file in memory with what the reader gives.
fn spooled(reader: &mut dyn Read) -> io::Result<(File, u64)> {
    let mut file = File::from(memfd_create("packed", MFdFlags::MFD_CLOEXEC)?);
    let length = io::copy(&mut reader.take(MEMBER_MAX + 1), &mut file)?;
    if length > MEMBER_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    file.flush()?;
    file.rewind()?;
    Ok((file, length))
}
