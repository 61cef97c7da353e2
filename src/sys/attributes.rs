//! The immutable attribute of a file or directory (chattr(1), `+i`): while it
//! is set, nobody can write it, not even root.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// FS_IMMUTABLE_FL of linux/fs.h.
const IMMUTABLE: libc::c_long = 0x10;

mod ioctl {
    nix::ioctl_read!(get_flags, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set_flags, b'f', 2, libc::c_long);
}

fn flags(file: &File) -> Result<libc::c_long, Errno> {
    // Some filesystems write an int here, others a long.
    let mut flags: libc::c_long = 0;
    // SAFETY: the descriptor is open for the whole call, and the kernel
    // writes at most a long to a long that is ours.
    unsafe { ioctl::get_flags(file.as_raw_fd(), &raw mut flags) }?;
    Ok(flags)
}

/// Whether the attribute is set.
///
/// # Errors
/// ENOTTY or EOPNOTSUPP where the filesystem has no such attribute.
pub fn is_immutable(file: &File) -> Result<bool, Errno> {
    Ok(flags(file)? & IMMUTABLE != 0)
}

/// Sets or clears the attribute and leaves the others alone.
///
/// # Errors
/// EPERM without CAP_LINUX_IMMUTABLE; ENOTTY or EOPNOTSUPP where the
/// filesystem has no such attribute.
pub fn set_immutable(file: &File, immutable: bool) -> Result<(), Errno> {
    let others = flags(file)? & !IMMUTABLE;
    let flags = if immutable {
        others | IMMUTABLE
    } else {
        others
    };
    // SAFETY: the descriptor is open for the whole call, and the kernel only
    // reads a long that is ours.
    unsafe { ioctl::set_flags(file.as_raw_fd(), &raw const flags) }?;
    Ok(())
}
