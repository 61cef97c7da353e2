//! Reads and writes a block device or a file past the page cache.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::uio::{pread, preadv, pwrite, pwritev};
use zeroize::Zeroize;

use super::file_lock;

/// One aligned buffer: O_DIRECT wants memory, offset and length to be
/// multiples of the device's block size, which is at most 4096.
#[repr(C, align(4096))]
struct Aligned([u8; BLOCK]);

// It may have held a part of the pepper.
impl Drop for Aligned {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

const BLOCK: usize = 4096;
/// Blocks that one call reads or writes, at most.
const AT_ONCE: usize = 32;

fn offset(block: u64) -> i64 {
    (block * BLOCK as u64) as i64
}

/// `BLKDISCARD`, linux/fs.h: _IO(0x12, 119).
const BLKDISCARD: libc::c_ulong = 0x1277;
/// `BLKSECDISCARD`, linux/fs.h: _IO(0x12, 125).
const BLKSECDISCARD: libc::c_ulong = 0x127d;

/// `BLKFLSBUF`, linux/fs.h: _IO(0x12, 97).
#[cfg(feature = "admin")]
const BLKFLSBUF: libc::c_ulong = 0x1261;

/// Writes out what the kernel keeps of a block device in memory, and drops it (BLKFLSBUF).
///
/// # Errors
/// What open(2) or ioctl(2) says; ENOTTY for what is no block device.
#[cfg(feature = "admin")]
pub fn drop_cache(device: &Path) -> io::Result<()> {
    let file = File::open(device)?;
    // SAFETY: the descriptor is open for the whole call, and the request has no argument.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), BLKFLSBUF as _, 0) };
    Ok(Errno::result(result).map(drop)?)
}

/// How thoroughly a device discards blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscardKind {
    /// The device may reuse the blocks (BLKDISCARD).
    Plain,
    /// The device erases the blocks and all copies that it made of them
    /// (BLKSECDISCARD).
    Secure,
}

/// A file opened with O_DIRECT and O_DSYNC: a write returns when the device
/// says that the data is stored.
pub struct DirectFile {
    file: File,
}

impl DirectFile {
    /// Opens a file or block device.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(path: &Path, writable: bool) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(writable)
            .custom_flags(libc::O_DIRECT | libc::O_DSYNC | libc::O_CLOEXEC)
            .open(path)?;
        Ok(Self { file })
    }

    /// The length in bytes, of a block device too.
    ///
    /// # Errors
    /// What fstat(2) or lseek(2) says.
    pub fn length(&self) -> io::Result<u64> {
        let metadata = self.file.metadata()?;
        if metadata.file_type().is_block_device() {
            io::Seek::seek(&mut &self.file, io::SeekFrom::End(0))
        } else {
            Ok(metadata.len())
        }
    }

    /// Reads block `block` (of 4096 bytes).
    ///
    /// # Errors
    /// What pread(2) says; EIO where the device ends before the block does.
    ///
    /// # Panics
    /// If `into` is not 4096 bytes long.
    pub fn read(&self, block: u64, into: &mut [u8]) -> Result<(), Errno> {
        let mut buffer = Aligned([0; BLOCK]);
        if pread(&self.file, &mut buffer.0, offset(block))? != BLOCK {
            return Err(Errno::EIO);
        }
        into.copy_from_slice(&buffer.0);
        Ok(())
    }

    /// Reads consecutive blocks (of 4096 bytes) from `block` on, with one call
    /// for each 128 KiB.
    ///
    /// # Errors
    /// What preadv(2) says; EIO where the device ends before the blocks do.
    ///
    /// # Panics
    /// If the length of `into` is not a multiple of 4096.
    pub fn read_many(&self, block: u64, into: &mut [u8]) -> Result<(), Errno> {
        assert!(into.len().is_multiple_of(BLOCK), "whole blocks");
        for (block, into) in (block..)
            .step_by(AT_ONCE)
            .zip(into.chunks_mut(AT_ONCE * BLOCK))
        {
            let mut buffers: Vec<Aligned> = into
                .chunks_exact(BLOCK)
                .map(|_| Aligned([0; BLOCK]))
                .collect();
            let mut slices: Vec<IoSliceMut<'_>> = buffers
                .iter_mut()
                .map(|buffer| IoSliceMut::new(&mut buffer.0))
                .collect();
            if preadv(&self.file, &mut slices, offset(block))? != into.len() {
                return Err(Errno::EIO);
            }
            for (into, buffer) in into.chunks_exact_mut(BLOCK).zip(&buffers) {
                into.copy_from_slice(&buffer.0);
            }
        }
        Ok(())
    }

    /// Writes block `block` (of 4096 bytes).
    ///
    /// # Errors
    /// What pwrite(2) says; EIO for a short write.
    ///
    /// # Panics
    /// If `bytes` is not 4096 bytes long.
    pub fn write(&self, block: u64, bytes: &[u8]) -> Result<(), Errno> {
        let mut buffer = Aligned([0; BLOCK]);
        buffer.0.copy_from_slice(bytes);
        if pwrite(&self.file, &buffer.0, offset(block))? != BLOCK {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Writes consecutive blocks (of 4096 bytes) from `block` on, with one call
    /// for each 128 KiB.
    ///
    /// # Errors
    /// What pwritev(2) says; EIO for a short write.
    ///
    /// # Panics
    /// If the length of `bytes` is not a multiple of 4096.
    pub fn write_many(&self, block: u64, bytes: &[u8]) -> Result<(), Errno> {
        assert!(bytes.len().is_multiple_of(BLOCK), "whole blocks");
        for (block, bytes) in (block..)
            .step_by(AT_ONCE)
            .zip(bytes.chunks(AT_ONCE * BLOCK))
        {
            let buffers: Vec<Aligned> = bytes
                .chunks_exact(BLOCK)
                .map(|bytes| {
                    let mut buffer = Aligned([0; BLOCK]);
                    buffer.0.copy_from_slice(bytes);
                    buffer
                })
                .collect();
            let slices: Vec<IoSlice<'_>> = buffers
                .iter()
                .map(|buffer| IoSlice::new(&buffer.0))
                .collect();
            if pwritev(&self.file, &slices, offset(block))? != bytes.len() {
                return Err(Errno::EIO);
            }
        }
        Ok(())
    }

    /// Discards `blocks` blocks (of 4096 bytes) from `start` on; they may hold
    /// anything afterwards.
    ///
    /// # Errors
    /// ENOTTY for a file, EOPNOTSUPP where the device cannot.
    pub fn discard(&self, start: u64, blocks: u64, how: DiscardKind) -> Result<(), Errno> {
        let request = match how {
            DiscardKind::Plain => BLKDISCARD,
            DiscardKind::Secure => BLKSECDISCARD,
        };
        let range = [start, blocks].map(|count| count * BLOCK as u64);
        // SAFETY: the descriptor is open for the whole call, and both requests
        // only read two u64, start and length in bytes, which are ours.
        let result = unsafe { libc::ioctl(self.file.as_raw_fd(), request as _, &raw const range) };
        Errno::result(result).map(drop)
    }

    /// See [`file_lock::lock`].
    ///
    /// # Errors
    /// As there.
    pub fn lock(&self, wait: Duration) -> Result<(), Errno> {
        file_lock::lock(&self.file, wait)
    }

    /// See [`file_lock::unlock`].
    pub fn unlock(&self) {
        file_lock::unlock(&self.file);
    }

    /// See [`file_lock::holder`].
    pub fn lock_holder(&self) -> Option<u32> {
        file_lock::holder(&self.file)
    }

    /// # Errors
    /// What fdatasync(2) says.
    pub fn flush(&self) -> Result<(), Errno> {
        nix::unistd::fdatasync(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_blocks_arrive_where_single_ones_would() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::write(&path, vec![0; 40 * BLOCK]).unwrap();
        // A filesystem in memory may refuse O_DIRECT.
        let Ok(file) = DirectFile::open(&path, true) else {
            return;
        };
        let bytes: Vec<u8> = (0..35u8).flat_map(|n| [n + 1; BLOCK]).collect();
        file.write_many(3, &bytes).unwrap();
        let mut found = [0; BLOCK];
        for block in 0..40u64 {
            file.read(block, &mut found).unwrap();
            let expected = if (3..38).contains(&block) {
                block as u8 - 2
            } else {
                0
            };
            assert_eq!(found, [expected; BLOCK], "block {block}");
        }
        let mut many = vec![0; 35 * BLOCK];
        file.read_many(3, &mut many).unwrap();
        assert_eq!(many, bytes);
        let behind_the_end = file.read_many(6, &mut many);
        assert_eq!(behind_the_end, Err(Errno::EIO));
        let forget = file.discard(0, 1, DiscardKind::Plain);
        assert_eq!(forget, Err(Errno::ENOTTY), "a file is no device");
    }
}
