//! A systemd service of ours: put in place, taken away, started anew.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::admin::durable::write_durably;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{installed, reload, running, systemctl, unit_is_up};

/// A service that runs this program.
pub struct ServiceUnit {
    /// The unit's name in systemd.
    pub name: &'static str,
    /// The unit file.
    pub text: &'static str,
}

impl ServiceUnit {
    fn path(&self) -> PathBuf {
        Path::new("/etc/systemd/system").join(self.name)
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<()> {
        let next = format!("`journalctl -u {} -n 20` shows why.", self.name);
        systemctl(arguments, &next)
    }

    /// Puts the service in place, and starts it where a system runs; `false` where
    /// there is no systemd.
    ///
    /// # Errors
    /// What the filesystem or systemd says.
    pub fn put(&self) -> Result<bool> {
        if !installed() {
            return Ok(false);
        }
        let path = self.path();
        write_durably(&path, self.text.as_bytes())
            .map_err(|error| Problem::of_file(&path, &error))?;
        reload()?;
        self.systemctl(&["enable", self.name])?;
        if running() {
            self.systemctl(&["restart", self.name])?;
        }
        Ok(true)
    }

    /// Undoes [`ServiceUnit::put`].
    ///
    /// # Errors
    /// What the filesystem or systemd says.
    pub fn remove(&self) -> Result<()> {
        let path = self.path();
        if !path.exists() {
            return Ok(());
        }
        if running() {
            self.systemctl(&["stop", self.name])?;
        }
        self.systemctl(&["disable", self.name])?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Problem::of_file(&path, &error));
            }
            _ => {}
        }
        reload()
    }

    /// Restarts the service where it is installed; on a failure it says so and goes
    /// on.
    pub fn start_anew(&self) {
        if !running() || !self.path().exists() {
            return;
        }
        if let Err(problem) = self.systemctl(&["restart", self.name]) {
            eprintln!("{} was not started anew: {problem}", self.name);
        }
    }

    /// Whether the unit file is what [`ServiceUnit::put`] writes, and systemd starts
    /// it at each boot.
    pub fn is_in_place(&self) -> bool {
        let is_as_written = fs::read(self.path()).is_ok_and(|there| there == self.text.as_bytes());
        is_as_written
            && self
                .systemctl(&["is-enabled", "--quiet", self.name])
                .is_ok()
    }

    /// Whether it runs now, or systemd is about to start it again.
    pub fn is_running(&self) -> bool {
        running() && unit_is_up(self.name)
    }
}
