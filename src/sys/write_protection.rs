//! Keeps a block device from being written to while it is only looked at: a
//! read-only mount writes all the same. ext4 deletes files that were open and
//! unlinked when the power went (fs/ext4/orphan.c), and without the journal that
//! can leave a filesystem that no longer mounts.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
#[cfg(feature = "admin")]
use std::thread::sleep;
use std::time::Duration;
#[cfg(feature = "admin")]
use std::time::Instant;

use nix::errno::Errno;

use super::at_end::{Changed, put_back_at_end};
use super::{file_lock, node_mark};

/// `BLKROSET`, linux/fs.h: _IO(0x12, 93).
const BLKROSET: libc::c_ulong = 0x125d;
/// `BLKROGET`, linux/fs.h: _IO(0x12, 94).
const BLKROGET: libc::c_ulong = 0x125e;

#[cfg(feature = "admin")]
const POLL: Duration = Duration::from_millis(20);

/// How long a look waits for whoever has the lock of the device alone.
const LOCK_WAITS: Duration = Duration::from_millis(500);

/// The kernel refuses writes to the device until this is dropped, or the process
/// ends.
pub struct WriteProtection {
    /// `None` where it was protected before.
    _protected: Option<Changed>,
    /// Holds the lock that keeps [`end_left_behind`] away, before the mount has
    /// claimed the device too.
    _device: File,
}

impl WriteProtection {
    /// A device that was protected before stays so afterwards. `None` where
    /// somebody has it mounted and may be writing: it is not protected.
    ///
    /// # Errors
    /// What open(2) or ioctl(2) says; then it is not protected.
    pub fn begin(device: &Path) -> Result<Option<Self>, Errno> {
        let kept = open(device, 0)?;
        // Shared, as udev has it while it looks. A look goes on without: who has
        // it alone for long is not one who ends a protection.
        let _ = file_lock::lock_shared(&kept, LOCK_WAITS);
        // A device that is mounted cannot be opened for oneself alone.
        let alone = match open(device, libc::O_EXCL) {
            Err(Errno::EBUSY) => return Ok(None),
            opened => opened?,
        };
        let protected = match is_read_only(&kept)? {
            true => None,
            false => Some(protect(&kept)?),
        };
        drop(alone);
        Ok(Some(Self {
            _protected: protected,
            _device: kept,
        }))
    }
}

/// The mark says whose it is, for whoever finds it when this process was killed. It stands
/// only where the device is protected: killed in between, a protection without a mark is
/// left, which nobody ends for its owner.
fn protect(device: &File) -> Result<Changed, Errno> {
    let kept = device.try_clone().map_err(errno)?;
    let protected = put_back_at_end(move || {
        // A device that has gone needs nothing.
        let _ = node_mark::remove(&kept);
        let _ = set_read_only(&kept, false);
    });
    set_read_only(device, true)?;
    if let Err(errno) = node_mark::set(device) {
        log::debug!("a look that is killed would leave a device read-only: {errno}");
    }
    Ok(protected)
}

/// Ends a protection that a look has left behind that was killed. One without its mark
/// is somebody else's (`blockdev --setro`), and stays. Where somebody looks at the device
/// now, or has it mounted, it stays as it is, too.
///
/// # Errors
/// EWOULDBLOCK where somebody looks at it, EBUSY where somebody has it mounted;
/// else what open(2), flock(2) or ioctl(2) says.
pub fn end_left_behind(device: &Path) -> Result<(), Errno> {
    let locked = open(device, 0)?;
    file_lock::lock(&locked, Duration::ZERO)?;
    let alone = open(device, libc::O_EXCL)?;
    if node_mark::is_set(&alone) {
        node_mark::remove(&alone)?;
        set_read_only(&alone, false)?;
    }
    Ok(())
}

/// Waits until nobody looks at the device or at a part of it, and ends what a look has
/// left behind that was killed.
///
/// # Errors
/// As [`end_left_behind`], after `wait`.
#[cfg(feature = "admin")]
pub fn wait_for_looks(device: &Path, wait: Duration) -> Result<(), Errno> {
    let until = Instant::now() + wait;
    loop {
        match end_left_behind(device) {
            Err(Errno::EWOULDBLOCK | Errno::EBUSY) if Instant::now() < until => sleep(POLL),
            ended => return ended,
        }
    }
}

fn open(device: &Path, flags: libc::c_int) -> Result<File, Errno> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK | flags)
        .open(device)
        .map_err(errno)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn is_read_only(device: &File) -> Result<bool, Errno> {
    let mut flag: libc::c_int = 0;
    // SAFETY: BLKROGET writes one int, which is ours and lives until the call
    // returns.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), BLKROGET as _, &raw mut flag) };
    Errno::result(result)?;
    Ok(flag != 0)
}

fn set_read_only(device: &File, read_only: bool) -> Result<(), Errno> {
    let flag = libc::c_int::from(read_only);
    // SAFETY: BLKROSET reads one int, which is ours and lives until the call
    // returns.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), BLKROSET as _, &raw const flag) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::loop_device::Loop;

    /// As a look leaves a device that was killed.
    fn leave_behind(device: &Loop) {
        let opened = open(&device.0, 0).unwrap();
        std::mem::forget(protect(&opened).unwrap());
        assert!(node_mark::is_set(&opened));
    }

    #[test]
    fn a_protection_of_the_owners_is_not_ended() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let Some(device) = Loop::of(file.path()) else {
            return;
        };
        let opened = || open(&device.0, 0).unwrap();
        let protected = || is_read_only(&opened()).unwrap();
        // As blockdev(8) does it.
        set_read_only(&opened(), true).unwrap();
        assert_eq!(end_left_behind(&device.0), Ok(()));
        assert!(protected());
        // A look in between takes nothing of it, and leaves no mark on it.
        drop(WriteProtection::begin(&device.0).unwrap());
        assert_eq!(wait_for_looks(&device.0, Duration::ZERO), Ok(()));
        assert!(protected() && !node_mark::is_set(&opened()));
        set_read_only(&opened(), false).unwrap();
        // Nor does one that has ended its own.
        drop(WriteProtection::begin(&device.0).unwrap());
        assert!(!protected() && !node_mark::is_set(&opened()));
    }

    #[test]
    fn a_protection_in_use_is_not_ended() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let Some(device) = Loop::of(file.path()) else {
            return;
        };
        // A look that has not mounted it yet.
        let protected = || is_read_only(&open(&device.0, 0).unwrap()).unwrap();
        let look = WriteProtection::begin(&device.0).unwrap();
        assert!(look.is_some() && protected());
        assert_eq!(end_left_behind(&device.0), Err(Errno::EWOULDBLOCK));
        assert!(protected());
        drop(look);
        assert!(!protected(), "it is put back");

        // One that was killed, and another look that finds it so.
        leave_behind(&device);
        let look = WriteProtection::begin(&device.0).unwrap();
        assert_eq!(end_left_behind(&device.0), Err(Errno::EWOULDBLOCK));
        drop(look);
        assert!(protected(), "it was so before");
        assert_eq!(end_left_behind(&device.0), Ok(()));
        assert!(!protected());

        // Who formats it waits for whoever looks.
        let look = WriteProtection::begin(&device.0).unwrap();
        std::thread::scope(|scope| {
            let wait = scope.spawn(|| wait_for_looks(&device.0, Duration::from_secs(20)));
            sleep(Duration::from_millis(100));
            assert!(!wait.is_finished());
            drop(look);
            assert_eq!(wait.join().unwrap(), Ok(()));
        });
    }
}
