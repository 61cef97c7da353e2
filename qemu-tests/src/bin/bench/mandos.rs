//! A Mandos server on a device of its own in a place's network.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use qemu_tests::{Failure, Neighbour, Place, Result};

/// Where it listens.
pub const MANDOS_PORT: u16 = 7501;

/// Switched off on drop; the place must be there for as long.
pub struct MandosServer(Child);

impl MandosServer {
    /// `system` is the folder of a small Debian with the server in it, which knows
    /// its client.
    pub fn at(place: &Place, device: &Neighbour, system: &Path) -> Result<Self> {
        place.add(device)?;
        let port = MANDOS_PORT.to_string();
        let running = Command::new("ip")
            .args(["netns", "exec", place.namespace()])
            .args(["setpriv", "--pdeathsig", "KILL", "chroot"])
            .arg(system)
            .args(["mandos", "--foreground", "--no-dbus", "--no-zeroconf"])
            .args(["--no-restore", "--no-ipv6", "--address", &device.ip])
            .args(["--port", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| Failure::new(format!("no Mandos server: {e}")))?;
        Ok(Self(running))
    }
}

impl Drop for MandosServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
