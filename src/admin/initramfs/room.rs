//! Whether /boot can take a new initramfs.

use std::fmt;
use std::fs;

use nix::sys::statvfs::statvfs;

use super::generator::image_path;
use super::kernels::{installed_versions, is_configured};

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
    let kernel = |version: &String| Kernel {
        image: image_path(version)
            .and_then(|path| fs::metadata(path).ok())
            .map(|at| at.len()),
        is_configured: is_configured(version),
    };
    let kernels: Vec<Kernel> = installed_versions().iter().map(kernel).collect();
    judge(&kernels, free)
}

/// What counts of a kernel.
struct Kernel {
    /// Size of its image in bytes, if it has one.
    image: Option<u64>,
    /// It is not only unpacked.
    is_configured: bool,
}

/// Pure. A kernel that is only unpacked has its image made soon, and first. Where a
/// configured one has none, somebody has taken it away, perhaps to have room.
fn judge(kernels: &[Kernel], free: u64) -> Option<NoRoom> {
    let largest = kernels.iter().filter_map(|kernel| kernel.image).max()?;
    let awaited = kernels
        .iter()
        .filter(|kernel| kernel.image.is_none() && !kernel.is_configured);
    let awaited = awaited.count() as u64;
    // Where an image is made anew, the old one lies beside it until it is done.
    let needed = (largest + GROWTH).saturating_mul(1 + awaited);
    (free < needed).then_some(NoRoom { free, needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn with_image(mib: u64) -> Kernel {
        Kernel {
            image: Some(mib * MIB),
            is_configured: true,
        }
    }

    fn without_image(is_configured: bool) -> Kernel {
        Kernel {
            image: None,
            is_configured,
        }
    }

    #[test]
    fn new_image_needs_room_beside_the_old_one() {
        let images = [with_image(20), with_image(30)];
        assert_eq!(judge(&images, 32 * MIB), None);
        let no_room = judge(&images, 32 * MIB - 1).unwrap();
        assert_eq!(
            no_room.to_string(),
            "/boot has 31 MiB free, and a new initramfs needs 32 MiB."
        );
    }

    #[test]
    fn kernel_that_is_only_unpacked_gets_its_image_first() {
        let images = [without_image(false), with_image(30)];
        assert!(judge(&images, 63 * MIB).is_some());
        assert_eq!(judge(&images, 64 * MIB), None);
    }

    #[test]
    fn image_that_somebody_took_away_for_room_is_not_awaited() {
        let images = [without_image(true), with_image(30)];
        assert_eq!(judge(&images, 32 * MIB), None);
    }

    #[test]
    fn boot_without_images_tells_nothing() {
        assert_eq!(judge(&[without_image(false)], 0), None);
        assert_eq!(judge(&[], 0), None);
    }
}
