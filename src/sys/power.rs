//! Restarts the machine and switches it off.

use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Time limit for sync(2). A disk that hangs must not keep the machine on for
/// ever.
const SYNC_LIMIT: Duration = Duration::from_secs(30);

/// Writes all data to the disks, for 30 seconds at most, and restarts the
/// machine. Returns only where the kernel refuses.
pub fn restart() {
    within(SYNC_LIMIT, libc::SYS_sync);
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

/// Writes all data to the disks, for 30 seconds at most, and switches the
/// machine off. Returns only where the kernel refuses.
pub fn switch_off() {
    within(SYNC_LIMIT, libc::SYS_sync);
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

/// Makes a system call without arguments in a child process, and waits for it
/// for `limit` at most. Returns whether it has ended.
fn within(limit: Duration, call: libc::c_long) -> bool {
    let until = Instant::now() + limit;
    // SAFETY: like fork(2), the child has a copy of everything. It makes two
    // system calls, without any memory or lock of this process.
    let child = unsafe {
        let child = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if child == 0 {
            libc::syscall(call, 0, 0, 0, 0, 0);
            libc::syscall(libc::SYS_exit, 0);
        }
        child
    };
    // No child could be made: losing unwritten data is better than staying on.
    let Ok(child @ 1..) = libc::pid_t::try_from(child) else {
        return false;
    };
    let child = Pid::from_raw(child);
    while Instant::now() < until {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {
                let _ = poll(&mut [], PollTimeout::from(10u8));
            }
            _ => return true,
        }
    }
    // A child that waits for a disk cannot be killed, which does no harm.
    let _ = kill(child, Signal::SIGKILL);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_hangs_does_not_keep_the_machine_on() {
        let start = Instant::now();
        let limit = Duration::from_millis(200);
        assert!(!within(limit, libc::SYS_ppoll));
        assert!(start.elapsed() >= limit);
        assert!(within(Duration::from_secs(60), libc::SYS_getpid));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
