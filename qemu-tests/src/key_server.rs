//! A Tang server: Debian's tangd, at a neighbour's address.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Failure, Place, Result};

/// Ends when it is dropped.
pub struct KeyServer(Child);

impl KeyServer {
    /// Serves the keys in this directory at port 7500 of one of the place's
    /// neighbours.
    pub fn start(place: &Place, ip: &str, keys: &Path) -> Result<Self> {
        let listen = format!("TCP-LISTEN:7500,bind={ip},reuseaddr,fork");
        let serve = format!("EXEC:/usr/libexec/tangd {}", keys.display());
        // It dies with the thread that started it, as QEMU does.
        Command::new("ip")
            .args(["netns", "exec", place.namespace()])
            .args(["setpriv", "--pdeathsig", "KILL", "socat", &listen, &serve])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(|e| Failure::new(format!("no Tang server: {e} (run images/install-tools)")))
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
