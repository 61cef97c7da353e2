//! What this process has changed for a while is put back however it ends: by
//! itself, by a panic, or by a signal that can be caught. Destructors alone run
//! only in the first case.

use std::mem::{MaybeUninit, forget};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::{pipe2, read};

/// The signals that end a process and can be caught: a lost terminal, Ctrl-C,
/// Ctrl-\, and what kill(1) and systemd send.
const ENDING: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// How long an end waits for what is just being put back.
const PUTTING_BACK_TAKES: Duration = Duration::from_secs(2);

/// The thread that waits for signals needs little.
const STACK_BYTES: usize = 128 << 10;

struct Change {
    number: u64,
    put_back: Box<dyn FnOnce() + Send>,
}

/// What is changed now, in the order in which it was.
static CHANGES: Mutex<Vec<Change>> = Mutex::new(Vec::new());
static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A change that is not put back yet; dropping it does that.
#[must_use = "it is put back at once"]
pub struct Changed {
    number: u64,
}

/// Remembers how a change is put back. Called before the change is made, so that
/// no signal comes in between.
pub fn put_back_at_end(put_back: impl FnOnce() + Send + 'static) -> Changed {
    let number = LAST_NUMBER.fetch_add(1, Ordering::Relaxed);
    let put_back = Box::new(put_back);
    changes().push(Change { number, put_back });
    Changed { number }
}

impl Drop for Changed {
    fn drop(&mut self) {
        // Held meanwhile: a signal does not end the process in the middle.
        let mut changes = changes();
        let at = changes
            .iter()
            .position(|change| change.number == self.number);
        if let Some(at) = at {
            (changes.remove(at).put_back)();
        }
    }
}

fn changes() -> MutexGuard<'static, Vec<Change>> {
    CHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Taken while no signal may end this process.
static UNDIVIDED: Mutex<()> = Mutex::new(());

/// What is done until the returned value is dropped is done as a whole: a signal that
/// would end this process waits, in [`put_back_when_ended`]. For what would leave a
/// server worse off half done than not begun. Where a signal is just ending the process
/// this does not come back.
#[must_use = "it ends at once"]
pub fn undivided() -> Undivided {
    Undivided {
        _held: UNDIVIDED.lock().unwrap_or_else(PoisonError::into_inner),
    }
}

/// What is to be done as a whole is not done yet.
pub struct Undivided {
    _held: MutexGuard<'static, ()>,
}

/// The end of a pipe into which the handler writes a signal's number; -1 where nobody
/// reads it.
static TOLD: AtomicI32 = AtomicI32::new(-1);
/// Whether a signal has come.
static ENDING_NOW: AtomicBool = AtomicBool::new(false);

/// From now on a signal that ends this process, or a panic, puts back first what
/// is changed. A signal that is ignored stays so, also one that is ignored later.
/// Programs that are started have the usual signals: a handler ends with exec(2),
/// where blocked signals would stay blocked.
///
/// # Errors
/// What pipe(2), sigaction(2) or pthread_create(3) says.
pub fn put_back_when_ended() -> Result<(), Errno> {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        put_all_back();
    }));
    let (told, tell) = pipe2(OFlag::O_CLOEXEC)?;
    let waiting = thread::Builder::new().stack_size(STACK_BYTES);
    waiting
        .spawn(move || wait_for_a_signal(&told))
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EAGAIN)))?;
    TOLD.store(tell.into_raw_fd(), Ordering::Release);
    let action = SigAction::new(
        SigHandler::Handler(tell_the_thread),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in ENDING.into_iter().filter(|signal| !is_ignored(*signal)) {
        // SAFETY: the handler does only what signal-safety(7) allows.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// Does not come back where a signal is just ending this process. What the signal
/// has interrupted is then no failure to tell of.
pub fn wait_if_ending() {
    if ENDING_NOW.load(Ordering::Acquire) {
        sleep(PUTTING_BACK_TAKES * 2);
    }
}

extern "C" fn tell_the_thread(signal: libc::c_int) {
    ENDING_NOW.store(true, Ordering::Release);
    let byte = signal as u8;
    let errno = Errno::last_raw();
    // SAFETY: write(2) of one byte that lives until the call is back. It may be
    // called in a handler (signal-safety(7)).
    unsafe { libc::write(TOLD.load(Ordering::Acquire), (&raw const byte).cast(), 1) };
    Errno::set_raw(errno);
}

fn wait_for_a_signal(told: &OwnedFd) {
    let mut byte = [0];
    loop {
        match read(told, &mut byte) {
            Ok(1) => {
                if let Ok(signal) = Signal::try_from(i32::from(byte[0])) {
                    end_by(signal);
                }
            }
            Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

/// Puts back what is changed, the last change first. Nothing can be changed any
/// more afterwards: who wants to waits for the end.
fn put_all_back() {
    let until = Instant::now() + PUTTING_BACK_TAKES;
    let mut changes = loop {
        match CHANGES.try_lock() {
            Ok(changes) => break changes,
            Err(TryLockError::Poisoned(changes)) => break changes.into_inner(),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                sleep(Duration::from_millis(5));
            }
            // It hangs in the kernel, or has panicked itself.
            Err(TryLockError::WouldBlock) => return,
        }
    };
    while let Some(change) = changes.pop() {
        (change.put_back)();
    }
    forget(changes);
}

fn is_ignored(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction(2) with no new action only writes the present one to
    // `action`, which is large enough for it.
    let asked = unsafe { libc::sigaction(signal as _, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid value of this plain C data, also where the
    // call has failed.
    let action = unsafe { action.assume_init() };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Ends the process as if the signal had not been caught: who waits for it sees
/// the same.
fn end_by(signal: Signal) {
    // Never let go: nothing undivided begins any more.
    forget(UNDIVIDED.lock());
    put_all_back();
    let usual = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the usual action is no function of this program.
    let _ = unsafe { sigaction(signal, &usual) };
    let _ = raise(signal);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Child, Command};

    /// This test program once more, as one that has changed something for a
    /// while. It makes `changed` in the folder and removes it at its end.
    fn start(folder: &Path, how: &str) -> Child {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program
            .args(["--exact", "sys::at_end::tests::changes_something"])
            .args(["--ignored", "--nocapture"])
            .env("STAYPUT_TEST_FOLDER", folder)
            .env("STAYPUT_TEST_ENDS", how);
        let child = program.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !folder.join("changed").exists() {
            assert!(Instant::now() < until);
            sleep(Duration::from_millis(2));
        }
        child
    }

    #[test]
    #[ignore = "run by the tests below"]
    fn changes_something() {
        let folder = std::env::var_os("STAYPUT_TEST_FOLDER").unwrap();
        let changed = Path::new(&folder).join("changed");
        crate::sys::memory::leave_no_core().unwrap();
        put_back_when_ended().unwrap();
        let at = changed.clone();
        let _changed = put_back_at_end(move || fs::remove_file(at).unwrap());
        let how = std::env::var("STAYPUT_TEST_ENDS").unwrap();
        if how == "hangup ignored" {
            crate::sys::hangup::outlive().unwrap();
        }
        fs::write(changed, "").unwrap();
        if how == "with a program" {
            let program = ["0.3", "sleep", "9"];
            let _ = Command::new("timeout").args(program).status();
            return;
        }
        if how == "undivided" {
            let undivided = undivided();
            fs::write(Path::new(&folder).join("begun"), "").unwrap();
            sleep(Duration::from_millis(300));
            fs::write(Path::new(&folder).join("whole"), "").unwrap();
            drop(undivided);
        }
        if how == "panic" {
            // Not unwound, as in what is shipped.
            thread::spawn(|| panic!("on purpose")).join().unwrap_err();
            std::process::abort();
        }
        sleep(Duration::from_secs(20));
    }

    fn send(child: &Child, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    #[test]
    fn a_signal_puts_back_and_ends_as_it_would_have() {
        for signal in ENDING {
            let folder = tempfile::tempdir().unwrap();
            let mut child = start(folder.path(), "signal");
            send(&child, signal);
            let ended = child.wait().unwrap();
            assert_eq!(ended.signal(), Some(signal as i32));
            assert!(!folder.path().join("changed").exists(), "{signal}");
        }
    }

    #[test]
    fn a_signal_waits_for_what_is_undivided() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(folder.path(), "undivided");
        while !folder.path().join("begun").exists() {
            sleep(Duration::from_millis(2));
        }
        send(&child, Signal::SIGTERM);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(folder.path().join("whole").exists());
        assert!(!folder.path().join("changed").exists());
    }

    #[test]
    fn a_program_that_was_started_can_be_ended() {
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        // timeout(1) ends it by SIGTERM.
        let ended = start(folder.path(), "with a program").wait().unwrap();
        assert!(ended.success() && begun.elapsed() < Duration::from_secs(8));
    }

    #[test]
    fn a_panic_puts_back() {
        let folder = tempfile::tempdir().unwrap();
        let ended = start(folder.path(), "panic").wait().unwrap();
        assert_eq!(ended.signal(), Some(Signal::SIGABRT as i32));
        assert!(!folder.path().join("changed").exists());
    }

    #[test]
    fn a_lost_terminal_that_is_ignored_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(folder.path(), "hangup ignored");
        send(&child, Signal::SIGHUP);
        sleep(Duration::from_millis(100));
        assert!(child.try_wait().unwrap().is_none());
        assert!(folder.path().join("changed").exists());
        send(&child, Signal::SIGTERM);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(!folder.path().join("changed").exists());
    }

    #[test]
    fn what_is_dropped_is_put_back_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let [first, second] = [1, 2].map(|number| {
            let tell = tell.clone();
            put_back_at_end(move || tell.send(number).unwrap())
        });
        drop(first);
        drop(second);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [1, 2]);
    }
}
