//! systemd, as far as the commands need it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::admin::problem::Result;
use crate::admin::program;

/// systemd's command, by its full path.
pub const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Whether systemd is installed.
pub fn installed() -> bool {
    Path::new(SYSTEMCTL).exists()
}

/// Whether systemd runs this machine. It does not in an image that is being
/// made; units are only written there.
pub fn running() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// Makes systemd read its units again.
///
/// # Errors
/// When systemd cannot be asked; with its own words.
pub fn reload() -> Result<()> {
    if running() {
        systemctl(&["daemon-reload"], "`systemctl status` tells more.")
    } else {
        Ok(())
    }
}

/// # Errors
/// When systemctl fails; with its own words and `next`.
pub fn systemctl(arguments: &[&str], next: &str) -> Result<()> {
    let mut command = Command::new(SYSTEMCTL);
    // In a group of its own: a Ctrl-C that this process holds back is not for it either.
    program::run(command.args(arguments).process_group(0), next).map(drop)
}

/// When the system had started, counted from the kernel's start; `None` where it has
/// not, or systemd does not say.
pub fn start_finished() -> Option<Duration> {
    let mut ask = Command::new(SYSTEMCTL);
    let ask = ask.args(["show", "--property=FinishTimestampMonotonic", "--value"]);
    let said = ask.output().ok()?;
    let microseconds = str::from_utf8(&said.stdout).ok()?.trim().parse().ok()?;
    (microseconds > 0).then_some(Duration::from_micros(microseconds))
}

/// What systemd says of a unit, a line of NAME=VALUE for each of these properties;
/// empty where it says nothing.
pub fn show(unit: &str, properties: &[&str]) -> String {
    let mut show = Command::new(SYSTEMCTL);
    show.arg("show");
    show.args(properties.iter().map(|name| format!("-p{name}")));
    program::run(show.args(["--", unit]), "").unwrap_or_default()
}

/// Whether a unit in this state (`ActiveState`) runs, or is coming up. One that systemd
/// starts again after a pause (`RestartSec=`) is coming up.
pub fn is_up(active_state: &str) -> bool {
    matches!(active_state, "active" | "activating" | "reloading")
}

/// Whether a unit runs, or systemd is about to start it; not where systemd does not
/// say.
pub fn unit_is_up(unit: &str) -> bool {
    let said = show(unit, &["ActiveState"]);
    said.trim().strip_prefix("ActiveState=").is_some_and(is_up)
}

/// Whether a unit has started, and has not ended since; not where systemd does not say.
pub fn is_active(unit: &str) -> bool {
    show(unit, &["ActiveState"]).trim() == "ActiveState=active"
}

/// Whether the machine is being switched off or restarted.
pub fn is_stopping() -> bool {
    let mut ask = Command::new(SYSTEMCTL);
    // It fails for every state but `running`.
    let said = ask.arg("is-system-running").output();
    said.is_ok_and(|said| said.stdout.trim_ascii() == b"stopping")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_in_its_pause_before_a_restart_is_up() {
        let up = ["active", "activating", "reloading"];
        assert!(up.into_iter().all(is_up));
        let down = ["inactive", "failed", "deactivating", ""];
        assert!(!down.into_iter().any(is_up));
    }
}
