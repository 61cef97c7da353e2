//! Filesystems that are mounted nowhere: only who has the descriptor reaches
//! them, and they are unmounted when it is closed, whatever ends the process.
//! So what one process does with a stick stands in nobody's way.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

use nix::errno::Errno;

use super::mount::Access;

/// linux/mount.h, `enum fsconfig_command`.
const SET_FLAG: libc::c_uint = 0;
const SET_STRING: libc::c_uint = 1;
const CREATE: libc::c_uint = 6;
/// `FSOPEN_CLOEXEC` and `FSMOUNT_CLOEXEC`, linux/mount.h.
const CLOEXEC: libc::c_uint = 1;
/// `MOUNT_ATTR_NOSUID`, `_NODEV`, `_NOEXEC` and `_NOATIME`, linux/mount.h.
const NOTHING_RUNS: libc::c_uint = 0x02 | 0x04 | 0x08 | 0x10;

/// A block device's filesystem, mounted for this process: nosuid, nodev, noexec,
/// noatime.
pub struct DetachedMount {
    root: OwnedFd,
}

impl DetachedMount {
    /// `options` as mount(8) takes them, between commas. Linux 5.2 and later.
    ///
    /// # Errors
    /// What fsopen(2), fsconfig(2) or fsmount(2) says: EBUSY where it is mounted
    /// already, for writing where this wants to read or the other way round.
    pub fn new(
        device: &Path,
        filesystem: &str,
        access: Access,
        options: &str,
    ) -> Result<Self, Errno> {
        let context = Context::open(&text(filesystem.as_bytes())?)?;
        let device = text(device.as_os_str().as_bytes())?;
        context.configure(SET_STRING, Some(c"source"), Some(&device))?;
        if access == Access::ReadOnly {
            context.configure(SET_FLAG, Some(c"ro"), None)?;
        }
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) => {
                    let (key, value) = (text(key.as_bytes())?, text(value.as_bytes())?);
                    context.configure(SET_STRING, Some(&key), Some(&value))?;
                }
                None => {
                    let key = text(option.as_bytes())?;
                    context.configure(SET_FLAG, Some(&key), None)?;
                }
            }
        }
        context.configure(CREATE, None, None)?;
        let root = context.mount()?;
        Ok(Self { root })
    }

    /// Its top directory, for this process alone and as long as this lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }
}

/// A filesystem that is being configured.
struct Context(OwnedFd);

impl Context {
    fn open(filesystem: &CStr) -> Result<Self, Errno> {
        // SAFETY: fsopen reads a string that lives until the call returns.
        let opened = unsafe { libc::syscall(libc::SYS_fsopen, filesystem.as_ptr(), CLOEXEC) };
        owned(opened).map(Self)
    }

    fn configure(
        &self,
        command: libc::c_uint,
        key: Option<&CStr>,
        value: Option<&CStr>,
    ) -> Result<(), Errno> {
        let pointer = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: fsconfig reads the two strings, which live until the call
        // returns, where the command has them, and takes null where it has not.
        let result = unsafe {
            let fd = self.0.as_raw_fd();
            let (key, value) = (pointer(key), pointer(value));
            libc::syscall(libc::SYS_fsconfig, fd, command, key, value, 0)
        };
        Errno::result(result).map(drop)
    }

    fn mount(&self) -> Result<OwnedFd, Errno> {
        let fd = self.0.as_raw_fd();
        // SAFETY: fsmount takes plain numbers and touches no memory.
        let opened = unsafe { libc::syscall(libc::SYS_fsmount, fd, CLOEXEC, NOTHING_RUNS) };
        owned(opened)
    }
}

fn text(bytes: &[u8]) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::EINVAL)
}

fn owned(opened: libc::c_long) -> Result<OwnedFd, Errno> {
    let fd = libc::c_int::try_from(Errno::result(opened)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just opened it, and nobody else has its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
