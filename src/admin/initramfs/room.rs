//! Whether /boot can take a new initramfs.

use std::fmt;
use std::fs;

use nix::sys::statvfs::statvfs;

use super::generator::image_path;
use super::kernels::installed_versions;

/// By how much a new image may be larger than the largest one that is there, in bytes.
const GROWTH: u64 = 2 << 20;

/// A new image does not fit beside those that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Free in /boot, in bytes.
    free: u64,
    /// What is wanted there, in bytes.
    needed: u64,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [free, needed] = [self.free, self.needed].map(|bytes| bytes >> 20);
        write!(
            f,
            "/boot has {free} MiB free, and a new initramfs needs {needed} MiB."
        )
    }
}

/// `None` where there is room, or where nobody can tell.
pub fn no_room() -> Option<NoRoom> {
    let boot = statvfs("/boot").ok()?;
    let free = boot.blocks_available().saturating_mul(boot.fragment_size());
    let sizes: Vec<Option<u64>> = installed_versions()
        .iter()
        .map(|version| Some(fs::metadata(image_path(version)?).ok()?.len()))
        .collect();
    judge(&sizes, free)
}

/// Pure: by the size of each kernel's image, in bytes. A kernel without one is only
/// unpacked: its image is made soon, and comes first.
fn judge(images: &[Option<u64>], free: u64) -> Option<NoRoom> {
    let largest = images.iter().flatten().max()?;
    let awaited = images.iter().filter(|image| image.is_none()).count() as u64;
    // Where an image is made anew, the old one lies beside it until it is done.
    let needed = (largest + GROWTH).saturating_mul(1 + awaited);
    (free < needed).then_some(NoRoom { free, needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn new_image_needs_room_beside_the_old_one() {
        let images = [Some(20 * MIB), Some(30 * MIB)];
        assert_eq!(judge(&images, 32 * MIB), None);
        let no_room = judge(&images, 32 * MIB - 1).unwrap();
        assert_eq!(
            no_room.to_string(),
            "/boot has 31 MiB free, and a new initramfs needs 32 MiB."
        );
    }

    #[test]
    fn kernel_that_is_only_unpacked_gets_its_image_first() {
        let images = [None, Some(30 * MIB)];
        assert!(judge(&images, 63 * MIB).is_some());
        assert_eq!(judge(&images, 64 * MIB), None);
    }

    #[test]
    fn boot_without_images_tells_nothing() {
        assert_eq!(judge(&[None], 0), None);
        assert_eq!(judge(&[], 0), None);
    }
}
