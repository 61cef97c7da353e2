//! systemd, as far as the commands need it.

use std::path::Path;
use std::process::Command;

use crate::admin::problem::Result;
use crate::admin::program;

pub const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Whether it is there, running or not.
pub fn installed() -> bool {
    Path::new(SYSTEMCTL).exists()
}

/// Whether systemd runs this machine; in an image that is being made it does
/// not, and units are only written.
pub fn running() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// Lets systemd read changed units.
///
/// # Errors
/// What it says.
pub fn reload() -> Result<()> {
    if running() {
        systemctl(&["daemon-reload"], "`systemctl status` tells more.")
    } else {
        Ok(())
    }
}

/// # Errors
/// What it says; `next` is what a person does then.
pub fn systemctl(arguments: &[&str], next: &str) -> Result<()> {
    program::run(Command::new(SYSTEMCTL).args(arguments), next).map(drop)
}

/// Whether the machine is being switched off or started anew.
pub fn is_stopping() -> bool {
    let mut ask = Command::new(SYSTEMCTL);
    // It ends with a failure for all words but `running`.
    let said = ask.arg("is-system-running").output();
    said.is_ok_and(|said| said.stdout.trim_ascii() == b"stopping")
}
