//! The lock of an open file, which one process has at a time, or several who
//! share it (flock(2)). It ends with the process, however that ends.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::{major, minor};

const POLL: Duration = Duration::from_millis(20);

/// Takes the lock; waits for whoever has it.
///
/// # Errors
/// EWOULDBLOCK when another process still has it after `wait`; else what
/// flock(2) says.
pub fn lock(file: &File, wait: Duration) -> Result<(), Errno> {
    take(|| file.try_lock(), wait)
}

/// Takes the lock beside others who take it so (LOCK_SH); waits for one who has
/// it alone.
///
/// # Errors
/// As [`lock`].
pub fn lock_shared(file: &File, wait: Duration) -> Result<(), Errno> {
    take(|| file.try_lock_shared(), wait)
}

fn take(attempt: impl Fn() -> Result<(), TryLockError>, wait: Duration) -> Result<(), Errno> {
    let until = Instant::now() + wait;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(POLL),
            Err(TryLockError::WouldBlock) => return Err(Errno::EWOULDBLOCK),
            Err(TryLockError::Error(error)) => {
                return Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
            }
        }
    }
}

/// Lets others have it; does nothing where it was not taken.
pub fn unlock(file: &File) {
    let _ = file.unlock();
}

/// The id of the process that has the lock, as far as this system tells.
pub fn holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    holder_in(&locks, metadata.dev(), metadata.ino())
}

/// A line of proc_locks(5): `1: FLOCK ADVISORY WRITE 708 00:05:1234 0 EOF`.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let file = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [_, "FLOCK", _, _, process, at, ..] if at == file => process.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_has_the_lock_and_is_known() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [first, second] = [0, 1].map(|_| File::open(file.path()).unwrap());
        lock(&first, Duration::ZERO).unwrap();
        let begun = Instant::now();
        let wait = Duration::from_millis(60);
        assert_eq!(lock(&second, wait), Err(Errno::EWOULDBLOCK));
        assert!(begun.elapsed() >= wait);
        if let Some(process) = holder(&second) {
            assert_eq!(process, std::process::id());
        }
        unlock(&first);
        lock(&second, Duration::ZERO).unwrap();
    }

    #[test]
    fn the_holder_is_found_among_other_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 12 00:05:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 34 00:05:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 56 00:05:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 78 08:01:77 0 EOF\n";
        let device = nix::sys::stat::makedev(8, 1);
        assert_eq!(holder_in(locks, 5, 77), Some(34));
        assert_eq!(holder_in(locks, device, 77), Some(78));
        assert_eq!(holder_in(locks, 5, 78), None);
    }
}
