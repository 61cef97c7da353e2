//! A key server: Debian's tangd on a device of its own in a place's network.

mod started_ahead;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::failure::run;
use crate::{Failure, Neighbour, Place, Result, Scratch};
use started_ahead::StartedAhead;

/// Where it listens.
const PORT: u16 = 7500;

/// The keys and where they are asked for. It is switched off on drop; the
/// place must be there for as long.
pub struct KeyServer {
    device: Neighbour,
    namespace: String,
    keys: Scratch,
    running: Option<Child>,
    ahead: Option<StartedAhead>,
}

impl KeyServer {
    /// A device at this place with fresh keys, switched on.
    pub fn at(place: &Place, ip: &str, mac: &str) -> Result<Self> {
        let keys = Scratch::new()?;
        run(
            "/usr/libexec/tangd-keygen",
            &[&keys.path().display().to_string()],
        )?;
        Self::switched_on(place, ip, mac, keys)
    }

    /// The same with copies of the keys in this folder.
    pub fn with_keys(place: &Place, ip: &str, mac: &str, folder: &Path) -> Result<Self> {
        let keys = Scratch::new()?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            std::fs::copy(
                entry.path(),
                keys.join(&entry.file_name().to_string_lossy()),
            )?;
        }
        Self::switched_on(place, ip, mac, keys)
    }

    fn switched_on(place: &Place, ip: &str, mac: &str, keys: Scratch) -> Result<Self> {
        let mut server = Self {
            device: Neighbour::new(ip, mac),
            namespace: place.namespace().into(),
            keys,
            running: None,
            ahead: None,
        };
        server.plug_in(place)?;
        Ok(server)
    }

    /// From now on it answers without the time that its program takes to start. New
    /// keys are not seen then.
    pub fn start_ahead(&mut self) -> Result {
        let socket = self.keys.join("asked");
        self.ahead = Some(StartedAhead::new(self.folder(), socket)?);
        self.switch_on()
    }

    fn folder(&self) -> String {
        self.keys.path().display().to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}:{PORT}", self.device.ip)
    }

    /// The thumbprint of its signing key, as its owner would read it out.
    pub fn thumbprint(&self) -> Result<String> {
        let script = "for key in \"$1\"/*.jwk; do \
                      jose jwk use -i \"$key\" -r -u verify 2>/dev/null && \
                      jose jwk thp -i \"$key\" -a S256; done; true";
        let said = run("sh", &["-c", script, "sh", &self.folder()])?;
        let print = said.split_whitespace().next();
        let print = print.ok_or_else(|| Failure::new("the key server has no signing key"))?;
        Ok(print.into())
    }

    /// Puts new keys in place of those it has; the old ones still answer.
    pub fn rotate(&self) -> Result {
        run("/usr/libexec/tangd-rotate-keys", &["-d", &self.folder()])?;
        Ok(())
    }

    /// Destroys the keys that were rotated.
    pub fn forget_old_keys(&self) -> Result {
        for entry in std::fs::read_dir(self.keys.path())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The device is gone from this place, with all that it answers.
    pub fn unplug(&mut self, place: &Place) -> Result {
        self.switch_off();
        place.remove(&self.device.ip)
    }

    /// The device is at this place again, and switched on.
    pub fn plug_in(&mut self, place: &Place) -> Result {
        place.add(&self.device)?;
        self.switch_on()
    }

    /// The device answers ARP all the while; only nobody listens.
    pub fn switch_off(&mut self) {
        if let Some(mut listening) = self.running.take() {
            let _ = listening.kill();
            let _ = listening.wait();
        }
    }

    pub fn switch_on(&mut self) -> Result {
        self.switch_off();
        let listen = format!("TCP-LISTEN:{PORT},bind={},reuseaddr,fork", self.device.ip);
        let serve = match &self.ahead {
            Some(ahead) => format!("UNIX-CONNECT:{}", ahead.socket().display()),
            None => format!("EXEC:/usr/libexec/tangd {}", self.folder()),
        };
        let listening = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .args(["setpriv", "--pdeathsig", "KILL"])
            .args(["socat", &listen, &serve])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| Failure::new(format!("no socat: {e} (run images/install-tools)")))?;
        self.running = Some(listening);
        Ok(())
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.switch_off();
        // Its socket lies beside the keys, which go next.
        self.ahead = None;
    }
}
