//! Sticks that a running server looks at.

use std::fs;
use std::path::Path;

use qemu_tests::{Container, Result, Stick, Suite, run};

/// An image as a block device of a container.
struct Plugged(String);

impl Plugged {
    const DEVICE: &str = "/dev/stick";

    fn into(server: &Container, image: &Path) -> Result<Self> {
        let image = image.display().to_string();
        let device = run("losetup", &["--find", "--show", &image])?;
        let plugged = Self(device.trim().into());
        let node = format!(
            "mknod {} b $(tr : ' ' </sys/class/block/{}/dev)",
            Self::DEVICE,
            plugged.0.trim_start_matches("/dev/")
        );
        server.shell(&node)?.success()?;
        Ok(plugged)
    }

    /// Whether the kernel takes no writes to it.
    fn is_protected(&self) -> Result<bool> {
        Ok(run("blockdev", &["--getro", &self.0])?.trim() == "1")
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = run("losetup", &["--detach", &self.0]);
    }
}

#[test]
fn looking_at_a_stick_leaves_every_byte_as_it_was() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    let stick = Stick::with_orphan()?;
    let before = fs::read(stick.image())?;
    let plugged = Plugged::into(&server, stick.image())?;
    let look = || -> Result {
        let said = server.shell(&format!("stayput release --stick {}", Plugged::DEVICE))?;
        assert!(said.text.contains("This stick has no key on it."), "{said}");
        run("sync", &[])?;
        assert!(fs::read(stick.image())? == before, "the look has written");
        Ok(())
    };
    look()?;
    assert!(!plugged.is_protected()?, "it is put back");
    run("blockdev", &["--setro", &plugged.0])?;
    look()?;
    assert!(plugged.is_protected()?, "it was so before");

    // The control: what a read-only mount does by itself.
    run("blockdev", &["--setrw", &plugged.0])?;
    let mount = format!("mount -o ro,noload {} /mnt && umount /mnt", Plugged::DEVICE);
    server.shell(&mount)?.success()?;
    run("sync", &[])?;
    assert!(fs::read(stick.image())? != before, "it is no such stick");
    Ok(())
}
