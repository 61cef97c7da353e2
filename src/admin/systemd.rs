//! systemd, as far as the commands need it.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::{Result, program};

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

/// How often systemd is told that a unit's command still works.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Runs what may take longer than systemd waits for the unit that it runs in
/// (sd_notify(3), `EXTEND_TIMEOUT_USEC`; the unit needs `NotifyAccess=exec`).
/// It must come to an end by itself.
pub fn in_no_hurry<T>(work: impl FnOnce() -> T) -> T {
    let (done, wait) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                // Without systemd nobody is in a hurry.
                let _ = ask_for(2 * TELL_EVERY);
                if wait.recv_timeout(TELL_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        let result = work();
        drop(done);
        result
    })
}

fn ask_for(time: Duration) -> std::io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let name = path.as_encoded_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    let text = format!("EXTEND_TIMEOUT_USEC={}", time.as_micros());
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address)?;
    Ok(())
}
