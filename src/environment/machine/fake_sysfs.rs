//! A tree of files that looks like sysfs, for tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The first PCI bus.
pub const PCI: &str = "sys/devices/pci0000:00";

/// The tree. Dropping it removes it.
pub struct FakeSysfs(tempfile::TempDir);

impl FakeSysfs {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What stands for `/`.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file; its folders are made.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes a link to `to`.
    pub fn link(&self, from: &str, to: &str) {
        let from = self.root().join(from);
        fs::create_dir_all(from.parent().unwrap()).unwrap();
        symlink(self.root().join(to), from).unwrap();
    }

    /// Makes a device with what it is to programs, `block/sda` or `net/eth0`, and
    /// the links between both; returns the path below /sys/block or /sys/class/net.
    pub fn device(&self, device: &str, class: &str) -> PathBuf {
        let below = format!("{device}/{class}");
        fs::create_dir_all(self.root().join(&below)).unwrap();
        self.link(&format!("{below}/device"), device);
        let class = match class.strip_prefix("block/") {
            Some(disk) => format!("sys/block/{disk}"),
            None => format!("sys/class/{class}-at-{}", device.replace('/', "-")),
        };
        self.link(&class, &below);
        self.root().join(class)
    }
}
