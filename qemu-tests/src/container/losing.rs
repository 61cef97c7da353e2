//! What a disk holds after a power cut that came before it was told to keep
//! what it had been given.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::{Failure, Result};

/// `_IOR('X', 125, __u32)` of the kernel's ext4.
const EXT4_IOC_SHUTDOWN: libc::Ioctl = 0x8004_587d;
/// Without the journal's last transaction, which is not committed either.
const NO_LOG_FLUSH: u32 = 2;

/// From now on the filesystem at `root` writes nothing more to its disk: what
/// was not flushed yet is lost, and all that is tried fails.
///
/// # Errors
/// Where it is not ext4, or not ours to stop.
pub(super) fn stop_writing(root: &Path) -> Result {
    let directory = File::open(root)?;
    let how = NO_LOG_FLUSH;
    // SAFETY: the request reads one u32 behind the pointer, which lives until
    // the call is back; the descriptor is open.
    let answer = unsafe { libc::ioctl(directory.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const how) };
    if answer == 0 {
        return Ok(());
    }
    let why = std::io::Error::last_os_error();
    Err(Failure::new(format!(
        "the filesystem cannot be stopped: {why}"
    )))
}
