//! Reads the parts of a file that have blocks on the disk: /var/log/lastlog claims
//! hundreds of gigabytes, and almost all of it is holes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

/// A file without its holes.
pub struct WrittenParts {
    file: File,
    at: u64,
    /// The end of the part that `at` is in.
    part_end: u64,
    end: u64,
    until: Instant,
}

impl WrittenParts {
    /// As much as there was: a log may grow while it is read. After `until` reading
    /// fails with `TimedOut`.
    pub const fn new(file: File, length: u64, until: Instant) -> Self {
        Self {
            file,
            at: 0,
            part_end: 0,
            end: length,
            until,
        }
    }

    fn seek(&self, whence: Whence) -> Option<u64> {
        let at = i64::try_from(self.at).unwrap_or(i64::MAX);
        match lseek(&self.file, at, whence) {
            Ok(found) => Some(u64::try_from(found).unwrap_or(self.end)),
            Err(Errno::ENXIO) => None,
            // A filesystem that knows no holes.
            Err(_) if matches!(whence, Whence::SeekData) => Some(self.at),
            Err(_) => Some(self.end),
        }
    }
}

impl Read for WrittenParts {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.at >= self.part_end {
            let Some(at) = self.seek(Whence::SeekData).filter(|at| *at < self.end) else {
                return Ok(0);
            };
            self.at = at;
            self.part_end = self
                .seek(Whence::SeekHole)
                .unwrap_or(self.end)
                .min(self.end);
        }
        let left = usize::try_from(self.part_end - self.at).unwrap_or(usize::MAX);
        let most = left.min(into.len());
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
