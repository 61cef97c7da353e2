//! Terminals that are lost.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

/// From here on a lost terminal does not end this process, nor the programs
/// that it starts.
///
/// # Errors
/// What signal(2) says.
pub fn outlive() -> Result<(), Errno> {
    // SAFETY: SIG_IGN is no function of ours that could run at a bad moment.
    unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) }.map(drop)
}
