//! Bytes that are read one behind the other, and counted.

use std::io::{self, BufReader, ErrorKind, Read};

use crate::admin::filled::fill;

/// Reads from the beginning of something.
pub struct Walk<'a> {
    from: BufReader<&'a mut dyn Read>,
    /// Bytes that were read.
    at: u64,
}

impl<'a> Walk<'a> {
    pub fn new(from: &'a mut dyn Read) -> Self {
        Self {
            from: BufReader::new(from),
            at: 0,
        }
    }

    /// # Errors
    /// `UnexpectedEof` where there are fewer; what reading says.
    pub fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// # Errors
    /// As of [`Self::bytes`].
    pub fn byte(&mut self) -> io::Result<u8> {
        self.bytes().map(|[byte]| byte)
    }

    /// The same; `None` where fewer are left, which are not counted.
    ///
    /// # Errors
    /// What reading says.
    pub fn bytes_or_end<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        if fill(&mut self.from, &mut bytes)? < N {
            return Ok(None);
        }
        self.at += N as u64;
        Ok(Some(bytes))
    }

    /// Leaves bytes out, and returns how many were read then.
    ///
    /// # Errors
    /// As of [`Self::bytes`].
    pub fn skip(&mut self, count: u64) -> io::Result<u64> {
        let skipped = io::copy(&mut (&mut self.from).take(count), &mut io::sink())?;
        self.at += skipped;
        match skipped < count {
            true => Err(ErrorKind::UnexpectedEof.into()),
            false => Ok(self.at),
        }
    }

    /// Up to a multiple of 4 bytes.
    ///
    /// # Errors
    /// As of [`Self::bytes`].
    pub fn align(&mut self) -> io::Result<u64> {
        self.skip(self.at.next_multiple_of(4) - self.at)
    }
}

pub fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
