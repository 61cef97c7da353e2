//! A stream in files of a gibibyte, which FAT takes: written with a digest each, and read
//! with these digests.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use crate::backup::{PARTS_MAX, Part, STREAM_HEAD, Stream, StreamKind, part_name};

use super::folder::Folder;

/// Bytes of a part.
pub const PART_BYTES: u64 = 1 << 30;

/// Bytes at the end of a part that a look reads.
const LAST_BLOCK: u64 = 4096;

/// How many bytes may wait in memory for a slow stick: without a limit the whole of it fills
/// up, and a progress shows what is not on the stick.
const SYNC_EVERY: u64 = 4 << 20;

/// Writes a stream into parts.
pub struct PartWriter<'a> {
    folder: &'a Folder,
    kind: StreamKind,
    part_bytes: u64,
    head: Vec<u8>,
    ran_full: bool,
    done: Vec<Part>,
    open: Option<OpenPart>,
    bytes: u64,
    pass_on: Option<PassOn<'a>>,
}

/// What is done with each part once it is whole.
type PassOn<'a> = Box<dyn FnMut(&Folder, &str) -> io::Result<()> + 'a>;

struct OpenPart {
    file: File,
    digest: Sha256,
    bytes: u64,
    unsynced: u64,
}

impl<'a> PartWriter<'a> {
    /// Parts of `part_bytes` in this folder, made as they are needed.
    pub fn new(folder: &'a Folder, kind: StreamKind, part_bytes: u64) -> Self {
        Self {
            folder,
            kind,
            part_bytes,
            head: Vec::new(),
            ran_full: false,
            done: Vec::new(),
            open: None,
            bytes: 0,
            pass_on: None,
        }
    }

    /// The same, and each part is passed on once it is whole.
    pub fn passing_on(self, pass_on: impl FnMut(&Folder, &str) -> io::Result<()> + 'a) -> Self {
        Self {
            pass_on: Some(Box::new(pass_on)),
            ..self
        }
    }

    /// The bytes that were written so far.
    pub fn bytes_written(&self) -> u64 {
        self.bytes
    }

    /// Whether the place had no room for more.
    pub fn ran_full(&self) -> bool {
        self.ran_full
    }

    /// The first of them, as many as have a digest of their own.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Ends the last part. An empty stream has one empty part.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn finish(mut self) -> io::Result<Stream> {
        if self.open.is_none() && self.done.is_empty() {
            self.begin()?;
        }
        self.end()?;
        Ok(Stream {
            kind: self.kind,
            head: Sha256::digest(&self.head).into(),
            parts: self.done,
        })
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.done.len() >= PARTS_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let name = part_name(self.kind, self.done.len() + 1);
        self.open = Some(OpenPart {
            file: self.folder.create(&name)?,
            digest: Sha256::new(),
            bytes: 0,
            unsynced: 0,
        });
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        open.file.sync_all()?;
        self.done.push(Part {
            bytes: open.bytes,
            digest: open.digest.finalize().into(),
        });
        match &mut self.pass_on {
            Some(pass_on) => pass_on(self.folder, &part_name(self.kind, self.done.len())),
            None => Ok(()),
        }
    }
}

impl PartWriter<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_full = |open: &OpenPart| open.bytes >= self.part_bytes;
        if self.open.as_ref().is_some_and(is_full) {
            self.end()?;
        }
        if self.open.is_none() {
            self.begin()?;
        }
        let open = self.open.as_mut().expect("it was begun");
        let room = self.part_bytes - open.bytes;
        let most = usize::try_from(room).unwrap_or(usize::MAX);
        let written = open.file.write(&bytes[..bytes.len().min(most)])?;
        open.digest.update(&bytes[..written]);
        let more = STREAM_HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..written.min(more)]);
        open.bytes += written as u64;
        open.unsynced += written as u64;
        self.bytes += written as u64;
        if open.unsynced >= SYNC_EVERY {
            open.file.sync_data()?;
            open.unsynced = 0;
        }
        Ok(written)
    }
}

impl Write for PartWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.put(bytes);
        let error = written.as_ref().err().map(io::Error::kind);
        let is_full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded].map(Some);
        self.ran_full |= is_full.contains(&error);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a stream from its parts. What is not as the manifest says is an error: of the head
/// before any byte is given, so no other header reaches what decrypts; else at the last byte
/// of a part at the latest, and whatever was read before that is not to be used.
pub struct PartReader<'a> {
    folder: &'a Folder,
    stream: &'a Stream,
    /// Index of the next part.
    next: usize,
    open: Option<OpenPart>,
    bytes: u64,
    /// What was read of the head and not given yet; `None` until it was compared.
    head: Option<Cursor<Vec<u8>>>,
}

impl<'a> PartReader<'a> {
    /// The parts of this stream, in this folder.
    pub fn new(folder: &'a Folder, stream: &'a Stream) -> Self {
        Self {
            folder,
            stream,
            next: 0,
            open: None,
            bytes: 0,
            head: None,
        }
    }

    /// The bytes that were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    fn name(&self) -> String {
        part_name(self.stream.kind, self.next)
    }

    /// Looks whether a stream can be read, without reading all of it: its head, and the last
    /// block of each part.
    ///
    /// # Errors
    /// InvalidData for a head that is not as it was written; what the filesystem says.
    pub fn look(folder: &Folder, stream: &Stream) -> io::Result<()> {
        PartReader::new(folder, stream).begin_with_the_head()?;
        for (part, at) in stream.parts.iter().zip(1..) {
            let mut file = folder.file(&part_name(stream.kind, at))?;
            let last = part.bytes.min(LAST_BLOCK);
            file.seek(SeekFrom::Start(part.bytes - last))?;
            let mut block = vec![0; last as usize];
            file.read_exact(&mut block)?;
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        self.next += 1;
        let file = self.folder.file(&self.name()).map_err(|error| {
            let name = self.name();
            io::Error::new(error.kind(), format!("{name}: {error}"))
        })?;
        self.open = Some(OpenPart {
            file,
            digest: Sha256::new(),
            bytes: 0,
            unsynced: 0,
        });
        Ok(())
    }

    fn end(&mut self, expected: Part) -> io::Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let found = Part {
            bytes: open.bytes,
            digest: open.digest.finalize().into(),
        };
        match found == expected {
            true => Ok(()),
            false => Err(self.wrong("is not what was written")),
        }
    }

    fn wrong(&self, what: &str) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, format!("{} {what}", self.name()))
    }

    /// Reads the head and compares it.
    fn begin_with_the_head(&mut self) -> io::Result<Cursor<Vec<u8>>> {
        // What was wrong once stays so: what follows it is no head.
        if self.bytes > 0 {
            return Err(self.wrong("does not begin as what was written"));
        }
        let mut head = vec![0; STREAM_HEAD];
        let mut read = 0;
        while read < head.len() {
            match self.read_parts(&mut head[read..])? {
                0 => break,
                more => read += more,
            }
        }
        head.truncate(read);
        match Sha256::digest(&head)[..] == self.stream.head {
            true => Ok(Cursor::new(head)),
            false => Err(self.wrong("does not begin as what was written")),
        }
    }

    fn read_parts(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.open.is_none() {
                if self.next == self.stream.parts.len() {
                    return Ok(0);
                }
                self.begin()?;
            }
            let expected = self.stream.parts[self.next - 1];
            let open = self.open.as_mut().expect("it was begun");
            let read = open.file.read(into)?;
            open.digest.update(&into[..read]);
            open.bytes += read as u64;
            if open.bytes > expected.bytes {
                return Err(self.wrong("is longer than what was written"));
            }
            self.bytes += read as u64;
            if read > 0 {
                return Ok(read);
            }
            self.end(expected)?;
        }
    }
}

impl Read for PartReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.head.is_none() {
            self.head = Some(self.begin_with_the_head()?);
        }
        let head = self.head.as_mut().expect("it was compared");
        match head.read(into)? {
            0 => self.read_parts(into),
            read => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn written(folder: &Folder, bytes: &[u8]) -> Stream {
        let mut writer = PartWriter::new(folder, StreamKind::Database, 10);
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn read(folder: &Folder, stream: &Stream) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        PartReader::new(folder, stream).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn stream_of_any_length_comes_back_from_its_parts() {
        for length in [0, 1, 9, 10, 11, 20, 35] {
            let room = tempfile::tempdir().unwrap();
            let folder = Folder::at(room.path()).unwrap();
            let bytes: Vec<u8> = (0..length).collect();
            let stream = written(&folder, &bytes);
            let parts = usize::from(length).div_ceil(10).max(1);
            assert_eq!(stream.parts.len(), parts, "{length}");
            assert_eq!(stream.bytes(), u64::from(length));
            assert_eq!(read(&folder, &stream).unwrap(), bytes);
        }
    }

    #[test]
    fn part_is_shorter_than_what_fat_takes() {
        let longest_on_fat = u64::from(u32::MAX);
        assert!(PART_BYTES < longest_on_fat);
    }

    /// A NAS or a stick may answer otherwise the second time.
    #[test]
    fn other_header_the_second_time_gives_no_byte() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::at(room.path()).unwrap();
        let mut writer = PartWriter::new(&folder, StreamKind::Database, 1 << 20);
        writer.write_all(&[7; 3 * STREAM_HEAD]).unwrap();
        let stream = writer.finish().unwrap();
        assert_eq!(
            read(&folder, &stream).unwrap().len(),
            3 * STREAM_HEAD,
            "all of it was verified"
        );
        let mut theirs = [7; 3 * STREAM_HEAD];
        theirs[100] = 8;
        let part = room.path().join(part_name(StreamKind::Database, 1));
        fs::write(part, theirs).unwrap();
        let mut reader = PartReader::new(&folder, &stream);
        let refused = reader.read(&mut [0; 1]).unwrap_err();
        assert!(refused.to_string().contains("does not begin"), "{refused}");
        let again = reader.read(&mut [0; 1]);
        assert!(again.is_err(), "nor when it is asked once more");
    }

    #[test]
    fn changed_cut_grown_swapped_or_missing_part_is_an_error() {
        let part = |number| part_name(StreamKind::Database, number);
        type Attack = fn(&std::path::Path, &str, &str);
        let attacks: [(&str, Attack); 6] = [
            ("changed", |room, first, _| {
                let mut bytes = fs::read(room.join(first)).unwrap();
                bytes[3] ^= 1;
                fs::write(room.join(first), bytes).unwrap();
            }),
            ("cut", |room, first, _| {
                fs::write(room.join(first), [0, 1, 2]).unwrap();
            }),
            ("grown", |room, first, _| {
                let mut bytes = fs::read(room.join(first)).unwrap();
                bytes.push(0);
                fs::write(room.join(first), bytes).unwrap();
            }),
            ("swapped", |room, first, second| {
                fs::rename(room.join(first), room.join("x")).unwrap();
                fs::rename(room.join(second), room.join(first)).unwrap();
                fs::rename(room.join("x"), room.join(second)).unwrap();
            }),
            ("missing", |room, _, second| {
                fs::remove_file(room.join(second)).unwrap();
            }),
            ("a link", |room, first, _| {
                fs::rename(room.join(first), room.join("x")).unwrap();
                std::os::unix::fs::symlink("x", room.join(first)).unwrap();
            }),
        ];
        for (name, attack) in attacks {
            let room = tempfile::tempdir().unwrap();
            let folder = Folder::at(room.path()).unwrap();
            let stream = written(&folder, &(0..20).collect::<Vec<u8>>());
            assert!(read(&folder, &stream).is_ok());
            attack(room.path(), &part(1), &part(2));
            assert!(read(&folder, &stream).is_err(), "{name}");
        }
    }
}
