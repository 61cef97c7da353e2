//! Disks and sticks that are plugged into a running server.

use std::path::Path;

use qemu_tests::{Container, Result, loop_device, run};

/// An image as a block device of a container.
pub struct Plugged(String);

impl Plugged {
    /// Where [`Plugged::into`] shows it.
    pub const DEVICE: &str = "/dev/stick";

    pub fn into(server: &Container, image: &Path) -> Result<Self> {
        let plugged = Self::attached(image)?;
        plugged.make_node(server, plugged.name(), Self::DEVICE)?;
        Ok(plugged)
    }

    /// A disk with one partition, under the kernel's names.
    pub fn with_partition(server: &Container, image: &Path) -> Result<Self> {
        Self::with_partitions(server, image, 1)
    }

    /// The same with more than one.
    pub fn with_partitions(server: &Container, image: &Path, count: u32) -> Result<Self> {
        let plugged = Self::attached(image)?;
        plugged.read_table(server, count)?;
        Ok(plugged)
    }

    /// Lets the kernel read the table, with `count` partitions, once more.
    pub fn read_table(&self, server: &Container, count: u32) -> Result {
        run("partx", &["--update", &self.0])?;
        let mut names = vec![self.name().to_owned()];
        names.extend((1..=count).map(|number| format!("{}p{number}", self.name())));
        for name in names {
            self.make_node(server, &name, &format!("/dev/{name}"))?;
        }
        Ok(())
    }

    /// The device file of the whole disk.
    pub fn device(&self) -> &str {
        &self.0
    }

    fn attached(image: &Path) -> Result<Self> {
        loop_device(image).map(Self)
    }

    fn name(&self) -> &str {
        self.0.trim_start_matches("/dev/")
    }

    fn make_node(&self, server: &Container, name: &str, device: &str) -> Result {
        let node =
            format!("rm -f {device}; mknod {device} b $(tr : ' ' </sys/class/block/{name}/dev)");
        server.shell(&node)?.success()?;
        Ok(())
    }

    /// Whether the kernel takes no writes to it.
    pub fn is_protected(&self) -> Result<bool> {
        Ok(run("blockdev", &["--getro", &self.0])?.trim() == "1")
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = run("losetup", &["--detach", &self.0]);
    }
}
