//! A systemd service of ours: put in place, taken away, started anew.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::admin::durable::write_durably;
use crate::admin::packaged::is_packaged;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{installed, reload, running, systemctl, unit_is_up};

/// A service that runs this program.
pub struct ServiceUnit {
    /// The unit's name in systemd.
    pub name: &'static str,
    /// The unit file.
    pub text: &'static str,
}

/// Where the unit file that is in force comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `stayput install` wrote it, where it goes before a package's.
    Hand,
    /// A package brings it, or nobody has yet.
    Package,
    /// The owner wrote one of the same name.
    Owner,
}

/// What our own unit files begin with: those of `install`, and those of other commands.
const MARKS: [&str; 2] = ["# Written by stayput", "# Written by `stayput "];

impl Origin {
    /// By what stands in /etc, where there is something. Pure.
    pub fn of(written: Option<&str>) -> Self {
        match written {
            None => Self::Package,
            Some(text) if MARKS.iter().any(|mark| text.starts_with(mark)) => Self::Hand,
            Some(_) => Self::Owner,
        }
    }
}

impl ServiceUnit {
    /// Where a unit file of this origin lies.
    pub fn path_of(&self, origin: Origin) -> PathBuf {
        let folder = match origin {
            Origin::Hand | Origin::Owner => "/etc/systemd/system",
            Origin::Package => "/usr/lib/systemd/system",
        };
        Path::new(folder).join(self.name)
    }

    /// What [`ServiceUnit::put`] writes where no package is: the path, and the text.
    pub fn by_hand(&self) -> (PathBuf, &'static str) {
        (self.path_of(Origin::Hand), self.text)
    }

    /// Whether a unit file in /etc is in force instead of a package's.
    pub fn hides_a_packages(&self) -> bool {
        self.path_of(Origin::Hand).exists() && self.path_of(Origin::Package).exists()
    }

    /// Where the unit file that is in force comes from.
    pub fn origin(&self) -> Origin {
        match fs::read_to_string(self.path_of(Origin::Hand)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Origin::of(None),
            // What cannot be read is none of ours.
            read => Origin::of(Some(&read.unwrap_or_default())),
        }
    }

    fn path(&self) -> PathBuf {
        self.path_of(self.origin())
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<()> {
        let next = format!("`journalctl -u {} -n 20` shows why.", self.name);
        systemctl(arguments, &next)
    }

    /// Puts the service in place, unless a package has, and starts it where a system
    /// runs; `false` where there is no systemd.
    ///
    /// # Errors
    /// What the filesystem or systemd says.
    pub fn put(&self) -> Result<bool> {
        if !installed() {
            return Ok(false);
        }
        if !is_packaged()? {
            let path = self.path_of(Origin::Hand);
            write_durably(&path, self.text.as_bytes())
                .map_err(|error| Problem::of_file(&path, &error))?;
        }
        reload()?;
        self.systemctl(&["enable", self.name])?;
        if running() {
            self.systemctl(&["restart", self.name])?;
        }
        Ok(true)
    }

    /// Undoes [`ServiceUnit::put`]. A package's file stays, and one of the owner's.
    ///
    /// # Errors
    /// What the filesystem or systemd says.
    pub fn remove(&self) -> Result<()> {
        let origin = self.origin();
        let path = self.path_of(origin);
        if origin == Origin::Owner || !path.exists() {
            return Ok(());
        }
        if running() {
            self.systemctl(&["stop", self.name])?;
        }
        self.systemctl(&["disable", self.name])?;
        if origin == Origin::Package {
            return Ok(());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_of_the_owners_is_not_taken_for_ours() {
        assert_eq!(Origin::of(None), Origin::Package);
        let owners = "[Service]\nExecStart=/usr/sbin/stayput watch\n";
        assert_eq!(Origin::of(Some(owners)), Origin::Owner);
        let ours = "# Written by stayput: looks once a minute\n[Unit]\n";
        assert_eq!(Origin::of(Some(ours)), Origin::Hand);
    }
}
