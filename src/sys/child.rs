//! Other processes. This program once more, with other words, for what may hang in
//! the kernel, where no signal reaches and only another process can wait for it;
//! and programs that nobody waits for.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2, read, write};

/// The program that runs, replaced on the disk or not.
pub const THIS_PROGRAM: &CStr = c"/proc/self/exe";

/// Children that had not ended when nobody listened any more. The next start of
/// one takes note of those that have ended since: they would stay as zombies.
static LEFT_BEHIND: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// A child, and what it writes to its standard output. Dropping it leaves it
/// behind: it is neither killed, for it may have something to put back, nor
/// waited for.
pub struct Child {
    pid: Pid,
    output: OwnedFd,
}

impl Child {
    /// Starts this program with `words`. The child begins anew, with none of this
    /// process's memory, and inherits no descriptor but input and errors.
    ///
    /// # Errors
    /// What pipe(2) or posix_spawn(3) says.
    pub fn start(words: &[&CStr]) -> Result<Self, Errno> {
        let (output, its_end) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut actions = PosixSpawnFileActions::init()?;
        actions.add_dup2(its_end.as_raw_fd(), libc::STDOUT_FILENO)?;
        let mut all = vec![c"stayput"];
        all.extend(words);
        let pid = spawn(THIS_PROGRAM, &all, &actions)?;
        Ok(Self { pid, output })
    }

    /// What it has written since, as much as fits; `None` when there is nothing
    /// yet, and 0 bytes when there will be nothing more. Does not block.
    ///
    /// # Errors
    /// What read(2) says.
    pub fn read(&self, into: &mut [u8]) -> Result<Option<usize>, Errno> {
        match read(&self.output, into) {
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Whether there will be nothing more; what it has written is lost. Does not block.
    #[cfg(feature = "admin")]
    pub fn has_ended(&self) -> bool {
        let mut lost = [0; 256];
        loop {
            match self.read(&mut lost) {
                Ok(None) => return false,
                Ok(Some(0)) | Err(_) => return true,
                Ok(Some(_)) => {}
            }
        }
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Ok(mut left) = LEFT_BEHIND.lock() {
            left.push(self.pid);
            reap(&mut left);
        }
    }
}

/// Waits until one of these children has something to say, or until `until`;
/// whether it is worth to hear them again.
pub fn wait_for<'a>(children: impl Iterator<Item = BorrowedFd<'a>>, until: Instant) -> bool {
    let mut fds: Vec<PollFd<'_>> = children
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    let left = until.saturating_duration_since(Instant::now());
    if fds.is_empty() || left.is_zero() {
        return false;
    }
    let milliseconds = left.as_micros().div_ceil(1000);
    let timeout = u16::try_from(milliseconds).unwrap_or(u16::MAX);
    // An interrupted wait is a short one.
    let _ = poll(&mut fds, PollTimeout::from(timeout));
    true
}

/// Says this to the process that has started this one as a [`Child`], past the buffer of
/// standard output, which nobody would overwrite.
///
/// # Errors
/// What write(2) says.
pub fn say(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(std::io::stdout().as_fd(), bytes) {
            Err(Errno::EINTR) => {}
            written => bytes = &bytes[written?..],
        }
    }
    Ok(())
}

/// Starts a program with `words`, of which the first is its name, and does not
/// wait for it. What it prints is lost.
///
/// # Errors
/// What posix_spawn(3) says; ENOENT where it is not installed.
pub fn start_beside(program: &CStr, words: &[&CStr]) -> Result<(), Errno> {
    let mut actions = PosixSpawnFileActions::init()?;
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        actions.add_open(stream, c"/dev/null", OFlag::O_RDWR, Mode::empty())?;
    }
    let pid = spawn(program, words, &actions)?;
    if let Ok(mut left) = LEFT_BEHIND.lock() {
        left.push(pid);
    }
    Ok(())
}

fn spawn(program: &CStr, words: &[&CStr], actions: &PosixSpawnFileActions) -> Result<Pid, Errno> {
    reap(&mut LEFT_BEHIND.lock().expect("nothing panics while it is held"));
    let no_environment: [&CStr; 0] = [];
    let attributes = PosixSpawnAttr::init()?;
    posix_spawn(program, actions, &attributes, words, &no_environment)
}

fn reap(left: &mut Vec<Pid>) {
    left.retain(|pid| {
        let status = waitpid(*pid, Some(WaitPidFlag::WNOHANG));
        status == Ok(WaitStatus::StillAlive)
    });
}
