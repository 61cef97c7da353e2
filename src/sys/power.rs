//! Starting the machine again, and switching it off.

use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::sync;

/// Returns only when the kernel refuses.
pub fn restart() {
    sync();
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

/// Returns only when the kernel refuses.
pub fn switch_off() {
    sync();
    let _ = reboot(RebootMode::RB_POWER_OFF);
}
