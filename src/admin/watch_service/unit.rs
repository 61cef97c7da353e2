//! Installs, removes and restarts `stayput-watch.service`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::admin::durable::write_durably;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{installed, reload, running, systemctl};

const UNIT: &str = "stayput-watch.service";
const PATH: &str = "/etc/systemd/system/stayput-watch.service";
const TEXT: &str = include_str!("../../../systemd/stayput-watch.service");
const NEXT: &str = "`journalctl -u stayput-watch -n 20` shows why.";

/// Puts the service in place, and starts it where a system runs; `false` where
/// there is no systemd.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn put() -> Result<bool> {
    if !installed() {
        return Ok(false);
    }
    write_durably(Path::new(PATH), TEXT.as_bytes())
        .map_err(|error| Problem::of_file(PATH, &error))?;
    reload()?;
    systemctl(&["enable", UNIT], NEXT)?;
    if running() {
        systemctl(&["restart", UNIT], NEXT)?;
    }
    Ok(true)
}

/// Undoes [`put`].
///
/// # Errors
/// What the filesystem or systemd says.
pub fn remove() -> Result<()> {
    if !Path::new(PATH).exists() {
        return Ok(());
    }
    if running() {
        systemctl(&["stop", UNIT], NEXT)?;
    }
    systemctl(&["disable", UNIT], NEXT)?;
    match fs::remove_file(PATH) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Problem::of_file(PATH, &error));
        }
        _ => {}
    }
    reload()
}

/// Restarts the watch, which reads the policy and the place when it starts.
pub fn start_anew() {
    if !running() || !Path::new(PATH).exists() {
        return;
    }
    if let Err(problem) = systemctl(&["restart", UNIT], NEXT) {
        eprintln!("The watch was not started anew: {problem}");
    }
}
