//! A Tang server: Debian's tangd, at a neighbour's address.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::run;
use crate::{Failure, Place, Result, Scratch};

/// Ends when it is dropped.
pub struct KeyServer {
    child: Child,
    keys: PathBuf,
    _scratch: Option<Scratch>,
}

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
            .map(|child| Self {
                child,
                keys: keys.to_path_buf(),
                _scratch: None,
            })
            .map_err(|e| Failure::new(format!("no Tang server: {e} (run images/install-tools)")))
    }

    /// The same with keys of its own.
    pub fn with_new_keys(place: &Place, ip: &str) -> Result<Self> {
        let scratch = Scratch::new()?;
        let keys = scratch.path().display().to_string();
        run("/usr/libexec/tangd-keygen", &[&keys])?;
        let mut server = Self::start(place, ip, scratch.path())?;
        server._scratch = Some(scratch);
        Ok(server)
    }

    /// Of its signing key, for `stayput enroll --thumbprint`.
    pub fn thumbprint(&self) -> Result<String> {
        for entry in std::fs::read_dir(&self.keys)? {
            let path = entry?.path();
            // The files are named by the thumbprints.
            if std::fs::read_to_string(&path)?.contains("\"verify\"") {
                let name = path.file_stem().unwrap_or_default();
                return Ok(name.to_string_lossy().into_owned());
            }
        }
        Err(Failure::new("the Tang server has no signing key"))
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
