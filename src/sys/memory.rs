//! Keeps this process's memory private.

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{Resource, setrlimit};

/// Locks this process's memory, and prevents core dumps and tracing by other
/// users.
///
/// # Errors
/// What mlockall(2), setrlimit(2) or prctl(2) says; ENOMEM for others than root,
/// who may lock RLIMIT_MEMLOCK bytes only.
pub fn keep_private() -> Result<(), Errno> {
    // Pages are locked when they are first used: untouched ones hold no secret.
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault)?;
    leave_no_core()
}

/// Reads in all that this process has mapped, and locks it: no page of its program is read
/// from a disk any more, which may hang by then. Nor is one of the program's file, for
/// whoever starts it once more.
///
/// # Errors
/// What [`keep_private`] says.
#[cfg(feature = "admin")]
pub fn read_in() -> Result<(), Errno> {
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)?;
    // What is mapped from here on is as before.
    keep_private()
}

/// A crash of this process leaves no copy of its memory, and other users cannot
/// trace it. Programs that it starts leave no core either.
///
/// # Errors
/// What setrlimit(2) or prctl(2) says.
pub fn leave_no_core() -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // SAFETY: PR_SET_DUMPABLE takes plain numbers and touches no memory.
    let result = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    Errno::result(result).map(drop)
}
