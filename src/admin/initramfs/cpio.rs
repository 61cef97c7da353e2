//! The archive format of an initramfs: "newc" of cpio, by the kernel's
//! Documentation/driver-api/early-userspace/buffer-format.rst.

use std::io::{self, ErrorKind, Read};

use super::walk::invalid;

/// Bytes of an entry's header: a mark and 13 numbers of 8 hexadecimal digits.
const HEADER: usize = 110;
/// Longest name that is read, in bytes; the kernel's own limit.
const NAME_MAX: u32 = 4096;
/// The name behind which an archive ends.
const TRAILER: &str = "TRAILER!!!";

/// What an entry is about. Its content follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, without a slash or a dot in front.
    pub name: String,
    /// As of stat(2).
    pub mode: u32,
    /// Entries with the same number are one file; its content stands behind one of
    /// them.
    pub inode: (u32, u32, u32),
    pub links: u32,
    /// Bytes of its content.
    pub size: u32,
}

/// An archive that is read from its beginning.
pub struct Archive<R> {
    from: R,
    /// Bytes that were read.
    at: u64,
    /// Bytes of the last entry's content that were not read yet.
    content: u32,
}

impl<R: Read> Archive<R> {
    pub fn new(from: R) -> Self {
        Self {
            from,
            at: 0,
            content: 0,
        }
    }

    /// The next entry; `None` behind the last one. What was not read of the content
    /// before is skipped.
    ///
    /// # Errors
    /// `InvalidData` where this is no such archive; what reading says.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        self.skip_content()?;
        let mut header = [0; HEADER];
        self.read(&mut header)?;
        // The second has a checksum, which nobody verifies, the kernel included.
        if !header.starts_with(b"070701") && !header.starts_with(b"070702") {
            return Err(invalid("it is no archive that the kernel unpacks"));
        }
        let numbers: Vec<u32> = header[6..]
            .chunks_exact(8)
            .map(number)
            .collect::<io::Result<_>>()?;
        let [ino, mode, _, _, links, _, size, major, minor, _, _, name, _] = numbers[..] else {
            return Err(invalid("an entry has another number of fields"));
        };
        if name == 0 || name > NAME_MAX {
            return Err(invalid("an entry has no name, or too long a one"));
        }
        let mut bytes = vec![0; name as usize];
        self.read(&mut bytes)?;
        self.align()?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        if bytes == TRAILER.as_bytes() {
            return Ok(None);
        }
        self.content = size;
        let name = String::from_utf8_lossy(&bytes);
        let name = name.trim_start_matches("./").trim_matches('/');
        Ok(Some(Entry {
            name: name.to_owned(),
            mode,
            inode: (major, minor, ino),
            links,
            size,
        }))
    }

    /// The content of the entry that was given last.
    ///
    /// # Errors
    /// What reading says.
    pub fn content(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let size = u64::from(self.content);
        let read = (&mut self.from).take(size).read_to_end(&mut bytes)?;
        self.at += read as u64;
        self.content = 0;
        if (read as u64) < size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.align()?;
        Ok(bytes)
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.at
    }

    fn skip_content(&mut self) -> io::Result<()> {
        let size = u64::from(self.content);
        if size == 0 {
            return Ok(());
        }
        let skipped = io::copy(&mut (&mut self.from).take(size), &mut io::sink())?;
        self.at += skipped;
        self.content = 0;
        match skipped < size {
            true => Err(ErrorKind::UnexpectedEof.into()),
            false => self.align(),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.from.read_exact(into)?;
        self.at += into.len() as u64;
        Ok(())
    }

    /// Names and contents are padded to a multiple of 4 bytes.
    fn align(&mut self) -> io::Result<()> {
        let rest = (self.at.next_multiple_of(4) - self.at) as usize;
        self.read(&mut [0; 4][..rest])
    }
}

fn number(digits: &[u8]) -> io::Result<u32> {
    let digits = str::from_utf8(digits).ok();
    digits
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| invalid("an entry has a field that is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::initramfs::made::archive_of;
    use proptest::prelude::*;

    #[test]
    fn entries_and_contents_are_read_in_turn() {
        let bytes = archive_of(&[
            ("./etc", 0o040_755, b""),
            ("etc/long", 0o100_644, b"not looked at"),
            ("etc/stayput", 0o100_600, b"seven77"),
        ]);
        let mut archive = Archive::new(&bytes[..]);
        assert_eq!(archive.next_entry().unwrap().unwrap().name, "etc");
        assert_eq!(archive.next_entry().unwrap().unwrap().size, 13);
        let entry = archive.next_entry().unwrap().unwrap();
        assert_eq!(
            (entry.name.as_str(), entry.mode),
            ("etc/stayput", 0o100_600)
        );
        assert_eq!(archive.content().unwrap(), b"seven77");
        assert_eq!(archive.next_entry().unwrap(), None);
        assert_eq!(archive.position(), bytes.len() as u64);
    }

    #[test]
    fn an_archive_that_was_cut_is_noticed() {
        let bytes = archive_of(&[("a", 0o100_644, b"content")]);
        for end in 0..bytes.len() - 1 {
            let mut archive = Archive::new(&bytes[..end]);
            let mut read = || {
                while archive.next_entry()?.is_some() {
                    archive.content()?;
                }
                io::Result::Ok(())
            };
            assert!(read().is_err(), "{end} of {}", bytes.len());
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(
            mark: bool,
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let mark = if mark { &b"070701"[..] } else { b"" };
            let bytes = [mark, &bytes].concat();
            let mut archive = Archive::new(&bytes[..]);
            while let Ok(Some(_)) = archive.next_entry() {}
            let _ = archive.content();
        }
    }
}
