//! Disk images as block devices of the host.

use std::path::Path;

use crate::Result;
use crate::failure::run;

/// Gives an image a loop device, and returns its name in /dev. `losetup --detach` lets
/// the kernel take it away when nobody uses it any more.
///
/// # Errors
/// What losetup or blockdev says.
pub fn loop_device(image: &Path) -> Result<String> {
    let image = image.display().to_string();
    let device = run("losetup", &["--find", "--show", "--partscan", &image])?;
    let device = device.trim();
    // The kernel keeps this mark over a detachment: whoever had the number before may
    // have left it.
    run("blockdev", &["--setrw", device])?;
    Ok(device.to_owned())
}
