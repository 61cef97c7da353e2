//! Overwrites in place: a whole device, or a file from its end.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::unistd::{Whence, lseek};

/// Bytes of one write: what a dead block of the disk takes with it.
const WRITE: u64 = 1 << 20;
/// Bytes that are written, waited for and cut off together.
pub const PIECE: u64 = 32 << 20;

/// Overwrites a file or a block device in place with zeros and waits until
/// they are on the disk.
///
/// # Errors
/// What the filesystem says.
pub fn overwrite(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    // A block device has no length of its own.
    let length = file.seek(SeekFrom::End(0))?;
    let zeros = vec![0; usize::try_from(WRITE).unwrap_or(0)];
    let mut at = 0;
    while at < length {
        let step = zeros_at(&file, &zeros, at, length)?;
        at += step;
        progress(step);
    }
    file.sync_all()
}

/// Overwrites a regular file with zeros, the last piece first: each piece is
/// waited for and then cut off, so an interrupted run goes on where it was,
/// and the disk gets its room back on the way. Where a piece cannot be
/// written, everything else is, and nothing more is cut off.
///
/// # Errors
/// The first error; the file is then still there.
pub fn consume(file: &File, piece: u64, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(WRITE).unwrap_or(0)];
    let mut failed: Option<io::Error> = None;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = (end - 1) / piece * piece;
        for (from, to) in written_parts(file, start, end)? {
            let mut at = from;
            while at < to {
                let step = zeros_at(file, &zeros, at, to).unwrap_or_else(|error| {
                    failed.get_or_insert(error);
                    WRITE.min(to - at)
                });
                at += step;
                progress(step);
            }
        }
        // It may be told here only that a write did not reach the disk.
        if let Err(error) = file.sync_data() {
            failed.get_or_insert(error);
        }
        // The page cache is other programs' too. Advice: an error changes nothing.
        let _ = posix_fadvise(
            file,
            offset(start),
            0,
            PosixFadviseAdvice::POSIX_FADV_DONTNEED,
        );
        if failed.is_none() {
            file.set_len(start)?;
        }
        end = start;
    }
    file.sync_all()?;
    failed.map_or(Ok(()), Err)
}

/// Writes zeros from `at` up to `end`; gives how many.
fn zeros_at(file: &File, zeros: &[u8], at: u64, end: u64) -> io::Result<u64> {
    let step = (end - at).min(zeros.len() as u64);
    let some = &zeros[..usize::try_from(step).unwrap_or(zeros.len())];
    file.write_all_at(some, at)?;
    Ok(step)
}

/// The parts of a file between two places that have blocks on the disk. To
/// write into the holes of a compressed table would take room that a full
/// disk does not have.
fn written_parts(file: &File, start: u64, end: u64) -> io::Result<Vec<(u64, u64)>> {
    let seek = |at: u64, whence| match lseek(file, offset(at), whence) {
        Ok(at) => Ok(Some(u64::try_from(at).unwrap_or(u64::MAX))),
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error),
    };
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        let Some(from) = seek(at, Whence::SeekData)?.filter(|from| *from < end) else {
            break;
        };
        let to = seek(from, Whence::SeekHole)?.unwrap_or(end).min(end);
        parts.push((from, to));
        at = to;
    }
    Ok(parts)
}

fn offset(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(path: &Path) -> File {
        File::options().write(true).open(path).unwrap()
    }

    #[test]
    fn a_device_is_overwritten_whole_and_keeps_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, vec![7; 3_000_001]).unwrap();
        let mut bytes = 0;
        overwrite(file.path(), &mut |step| bytes += step).unwrap();
        assert_eq!(bytes, 3_000_001);
        assert_eq!(fs::read(&file).unwrap(), vec![0; 3_000_001]);
    }

    #[test]
    fn a_file_is_zeroed_before_it_is_cut_off_from_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, vec![7; 10_000]).unwrap();
        let reader = File::open(&file).unwrap();
        let mut seen = Vec::new();
        consume(&open(file.path()), 4096, &mut |step| {
            let length = reader.metadata().unwrap().len();
            let mut tail = vec![1; usize::try_from(step).unwrap()];
            reader.read_exact_at(&mut tail, length - step).unwrap();
            seen.push((length, step, tail.iter().all(|byte| *byte == 0)));
        })
        .unwrap();
        let expected = [(10_000, 1808, true), (8192, 4096, true), (4096, 4096, true)];
        assert_eq!(seen, expected);
        assert_eq!(fs::metadata(&file).unwrap().len(), 0);
    }

    #[test]
    fn holes_take_no_room_on_a_full_disk() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let sparse = open(file.path());
        sparse.set_len(64 << 20).unwrap();
        sparse.write_all_at(&[7; 4096], 40 << 20).unwrap();
        sparse.sync_all().unwrap();
        let mut bytes = 0;
        let mut most = 0;
        consume(&sparse, PIECE, &mut |step| {
            bytes += step;
            most = most.max(sparse.metadata().unwrap().blocks() * 512);
        })
        .unwrap();
        assert!((4096..1 << 20).contains(&bytes), "{bytes}");
        assert!(most < 1 << 20, "{most}");
    }
}
