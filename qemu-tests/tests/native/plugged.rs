//! Disks and sticks that are plugged into a running server.

use std::path::Path;

use qemu_tests::{Container, Result, loop_device, run};

/// A stick with a partition, as the kernel shows one that is named `$2`: `$1` is the loop
/// device that stands in for the partition, in /sys/class/block. Everything else in /sys/block
/// is as it was.
const ON_USB: &str = "set -e; loop=/sys/class/block/$1; block=/run/block; \
     if ! [ -d $block ]; then mkdir $block; for disk in /sys/block/*; do \
     ln -s $(readlink -f $disk) $block/${disk##*/}; done; mount --bind $block /sys/block; fi; \
     mkdir -p /run/usb1/$2/${2}1; ln -s /run/usb1/$2 $block/$2; \
     cp $loop/size $loop/diskseq $block/$2; echo 1 >$block/$2/${2}1/partition; \
     number=$(cat $loop/dev); mknod /dev/${2}1 b ${number%:*} ${number#*:}";

/// Shows a container a loop device of the host as the first partition of a USB stick.
pub fn show_on_usb(server: &Container, loop_device: &str, disk: &str) -> Result {
    let name = loop_device.trim_start_matches("/dev/");
    let show = format!("set -- {name} {disk}; {ON_USB}");
    server.shell(&show)?.success()?;
    Ok(())
}

/// Makes the device file of a device that the kernel calls `name`.
pub fn make_node(server: &Container, name: &str, device: &str) -> Result {
    let node = format!("rm -f {device}; mknod {device} b $(tr : ' ' </sys/class/block/{name}/dev)");
    server.shell(&node)?.success()?;
    Ok(())
}

/// An image as a block device of a container.
pub struct Plugged(String);

impl Plugged {
    /// Where [`Plugged::into`] shows it.
    pub const DEVICE: &str = "/dev/stick";

    pub fn into(server: &Container, image: &Path) -> Result<Self> {
        let plugged = Self::attached(image)?;
        make_node(server, plugged.name(), Self::DEVICE)?;
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
            make_node(server, &name, &format!("/dev/{name}"))?;
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
