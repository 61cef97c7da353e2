//! A file as a block device, for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A loop device; dropping it lets it go.
pub struct Loop(pub PathBuf);

impl Loop {
    /// `None` where there are none to be had, as for who is not root.
    pub fn of(file: &Path) -> Option<Self> {
        Self::with(&["--find", "--show"], file)
    }

    /// One that takes no writes.
    pub fn read_only(file: &Path) -> Option<Self> {
        Self::with(&["--find", "--show", "--read-only"], file)
    }

    fn with(words: &[&str], file: &Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(words)
            .arg(file)
            .output()
            .ok()?;
        let name = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| Self(name.trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.0).status();
    }
}
