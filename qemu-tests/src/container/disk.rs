//! The disk of a container: a copy of an image, a partition for the vault in
//! front of the first one, a loop device while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::failure::run;
use crate::loop_device::loop_device;
use crate::server::copy_sparse;
use crate::{Failure, Result, seconds};

/// The sectors in front of the first partition that the vault gets: 960 KiB.
const VAULT: &str = "2:128:2047";

pub(super) struct Disk {
    image: PathBuf,
    attached: Option<PathBuf>,
}

impl Disk {
    /// A copy of `image` at `copy`, with an empty partition for a vault. Its
    /// id is new: the kernel shows the disks of all containers to each.
    pub fn copy_of(image: &Path, copy: &Path) -> Result<Self> {
        copy_sparse(image, copy)?;
        let path = copy.display().to_string();
        run(
            "sgdisk",
            &[
                "--set-alignment=1",
                &format!("--new={VAULT}"),
                "--change-name=2:stayput",
                "--partition-guid=2:R",
                &path,
            ],
        )?;
        Ok(Self {
            image: copy.to_path_buf(),
            attached: None,
        })
    }

    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Gives the disk a loop device. Whoever mounts it detaches it as well:
    /// the kernel then lets go of it at the end of the mount.
    pub fn attach(&mut self) -> Result<PathBuf> {
        self.wait_detached()?;
        let device = PathBuf::from(loop_device(&self.image)?);
        self.attached = Some(device.clone());
        // Not every kernel reads GPT itself.
        run("partx", &["--update", &device.display().to_string()])?;
        Ok(device)
    }

    /// Waits until the kernel has written all it wants to write, and let go.
    pub fn wait_detached(&mut self) -> Result {
        let Some(device) = self.attached.take() else {
            return Ok(());
        };
        let deadline = Instant::now() + seconds(60);
        while self.is_behind(&device) {
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "{} is still mounted somewhere",
                    device.display()
                )));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn is_behind(&self, device: &Path) -> bool {
        let name = device.file_name().unwrap_or_default();
        let backing = Path::new("/sys/block").join(name).join("loop/backing_file");
        let image = fs::canonicalize(&self.image).unwrap_or_else(|_| self.image.clone());
        fs::read_to_string(backing).is_ok_and(|path| Path::new(path.trim_end()) == image)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(device) = self.attached.take()
            && self.is_behind(&device)
        {
            let _ = run("losetup", &["--detach", &device.display().to_string()]);
        }
    }
}
