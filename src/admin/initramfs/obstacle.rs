//! Whether a new initramfs can be made, and has room.

use std::fmt;
use std::fs;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::generator::{Found, Generator, image_path};
use super::kernels::{installed_versions, is_configured};

/// By how much a new image may be larger than the largest one that is there, in bytes.
const GROWTH: u64 = 2 << 20;

/// Where the owner of a system with initramfs-tools switches new images off.
const SWITCH: &str = "/etc/initramfs-tools/update-initramfs.conf";

/// What stands in the way of a new initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A new image does not fit beside those that are there.
    NoRoom {
        /// Free in /boot, in bytes.
        free: u64,
        /// What is wanted there, in bytes.
        needed: u64,
    },
    /// /boot is mounted so.
    ReadOnly,
    /// `update-initramfs` would make none, and succeed.
    SwitchedOff,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom { free, needed } => {
                let [free, needed] = [free, needed].map(|bytes| bytes >> 20);
                write!(
                    f,
                    "/boot has {free} MiB free, and a new initramfs needs {needed} MiB."
                )
            }
            Self::ReadOnly => f.write_str("/boot is read-only."),
            Self::SwitchedOff => write!(f, "{SWITCH} says update_initramfs=no."),
        }
    }
}

impl Obstacle {
    /// How a person takes it away, without a full stop.
    pub fn what_to_do(self) -> &'static str {
        match self {
            Self::NoRoom { .. } => "Remove an old kernel (apt-get autoremove)",
            Self::ReadOnly => "Make it writable (mount -o remount,rw /boot)",
            Self::SwitchedOff => "Write update_initramfs=yes there",
        }
    }
}

/// `None` where nothing is in the way, or where nobody can tell.
pub fn obstacle(generator: &Found) -> Option<Obstacle> {
    let boot = statvfs("/boot").ok()?;
    if boot.flags().contains(FsFlags::ST_RDONLY) {
        return Some(Obstacle::ReadOnly);
    }
    let switch = fs::read_to_string(SWITCH).unwrap_or_default();
    if *generator == Found::Generator(Generator::InitramfsTools) && is_switched_off(&switch) {
        return Some(Obstacle::SwitchedOff);
    }
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

/// Whether this text, which a shell reads, switches new images off: its last word
/// counts. Pure.
fn is_switched_off(text: &str) -> bool {
    let mut values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("update_initramfs="));
    let last = values
        .next_back()
        .and_then(|value| value.split_whitespace().next());
    last.is_some_and(|value| value.trim_matches(['"', '\'']) == "no")
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
fn judge(kernels: &[Kernel], free: u64) -> Option<Obstacle> {
    let largest = kernels.iter().filter_map(|kernel| kernel.image).max()?;
    let awaited = kernels
        .iter()
        .filter(|kernel| kernel.image.is_none() && !kernel.is_configured);
    let awaited = awaited.count() as u64;
    // Where an image is made anew, the old one lies beside it until it is done.
    let needed = (largest + GROWTH).saturating_mul(1 + awaited);
    (free < needed).then_some(Obstacle::NoRoom { free, needed })
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

    #[test]
    fn what_the_owner_has_switched_off_is_seen() {
        for off in [
            "update_initramfs=no\n",
            "# update_initramfs=yes\n  update_initramfs=\"no\" # by us\n",
            "update_initramfs=yes\nupdate_initramfs='no'\n",
        ] {
            assert!(is_switched_off(off), "{off}");
        }
        for on in [
            "",
            "update_initramfs=yes\n",
            "update_initramfs=all\n",
            "#update_initramfs=no\n",
            "update_initramfs=no\nupdate_initramfs=yes\n",
        ] {
            assert!(!is_switched_off(on), "{on}");
        }
    }
}
