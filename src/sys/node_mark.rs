//! A mark on a device: an attribute of its node in /dev, which the kernel keeps in memory
//! for as long as the device is there. It outlives who has set it, and no restart.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// Root alone sees and sets attributes of this name (xattr(7)).
const NAME: &CStr = c"trusted.stayput.look";

/// # Errors
/// What fsetxattr(2) says: EOPNOTSUPP where /dev takes no attributes, EPERM for who is not
/// root.
pub fn set(device: &File) -> Result<(), Errno> {
    let value = [1u8];
    // SAFETY: the name ends with a NUL byte, the kernel only reads it and the one byte of
    // the value, and all of them live until the call returns.
    let result = unsafe {
        libc::fsetxattr(
            device.as_raw_fd(),
            NAME.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    Errno::result(result).map(drop)
}

/// Whether it is set; where nobody can tell, it is not.
pub fn is_set(device: &File) -> bool {
    // SAFETY: the name ends with a NUL byte and lives until the call returns; with a length
    // of 0 the kernel writes nothing.
    let length =
        unsafe { libc::fgetxattr(device.as_raw_fd(), NAME.as_ptr(), std::ptr::null_mut(), 0) };
    length >= 0
}

/// # Errors
/// What fremovexattr(2) says: ENODATA where it is not set.
pub fn remove(device: &File) -> Result<(), Errno> {
    // SAFETY: the name ends with a NUL byte, the kernel only reads it, and it lives until
    // the call returns.
    let result = unsafe { libc::fremovexattr(device.as_raw_fd(), NAME.as_ptr()) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_outlives_who_has_set_it() {
        let node = tempfile::NamedTempFile::new().unwrap();
        let opened = || File::open(node.path()).unwrap();
        assert!(!is_set(&opened()));
        // Who is not root sets none.
        if set(&opened()).is_err() {
            return;
        }
        assert!(is_set(&opened()));
        remove(&opened()).unwrap();
        assert!(!is_set(&opened()));
        assert_eq!(remove(&opened()), Err(Errno::ENODATA));
    }
}
