//! Keeps a block device from being written to while it is only looked at: a
//! read-only mount writes all the same. ext4 deletes files that were open and
//! unlinked when the power went (fs/ext4/orphan.c), and without the journal that
//! can leave a filesystem that no longer mounts.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;

/// `BLKROSET`, linux/fs.h: _IO(0x12, 93).
const BLKROSET: libc::c_ulong = 0x125d;
/// `BLKROGET`, linux/fs.h: _IO(0x12, 94).
const BLKROGET: libc::c_ulong = 0x125e;

/// The kernel refuses writes to the device until this is dropped.
pub struct WriteProtection {
    device: File,
}

impl WriteProtection {
    /// `None` where nothing is to be put back afterwards: the device was
    /// protected before, or somebody has it mounted and may be writing.
    ///
    /// # Errors
    /// What open(2) or ioctl(2) says; then it is not protected.
    pub fn begin(device: &Path) -> Result<Option<Self>, Errno> {
        let kept = open(device, 0)?;
        // A device that is mounted cannot be opened for oneself alone.
        let alone = match open(device, libc::O_EXCL) {
            Err(Errno::EBUSY) => return Ok(None),
            opened => opened?,
        };
        if is_read_only(&kept)? {
            return Ok(None);
        }
        set_read_only(&kept, true)?;
        drop(alone);
        Ok(Some(Self { device: kept }))
    }
}

/// Ends a protection that a look has left behind that was killed. Where somebody
/// looks at it now, or has it mounted, it stays as it is.
///
/// # Errors
/// What open(2) or ioctl(2) says; EBUSY where somebody has it mounted.
pub fn end_left_behind(device: &Path) -> Result<(), Errno> {
    set_read_only(&open(device, libc::O_EXCL)?, false)
}

impl Drop for WriteProtection {
    fn drop(&mut self) {
        // A device that has gone needs nothing.
        let _ = set_read_only(&self.device, false);
    }
}

fn open(device: &Path, flags: libc::c_int) -> Result<File, Errno> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK | flags)
        .open(device)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
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
