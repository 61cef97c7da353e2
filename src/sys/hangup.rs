//! Survives the loss of the terminal.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

/// Ignores SIGHUP: a lost terminal does not end this process or the programs
/// that it starts.
///
/// # Errors
/// What signal(2) says.
pub fn outlive() -> Result<(), Errno> {
    // SAFETY: SIG_IGN is no function of ours that could run at a bad moment.
    unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) }.map(drop)
}
