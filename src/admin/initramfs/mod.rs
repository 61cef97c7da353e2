//! The installed initramfs images: what they hold, and what the boot stage needs on
//! this machine. [`inspect`] gathers.

mod archive;
mod compression;
mod cpio;
mod decompressor;
mod dracut;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod generator;
mod hardening;
mod hardware;
mod inflate;
mod initramfs_tools;
mod inspect;
mod kernels;
#[cfg(any(test, feature = "fuzzing"))]
mod made;
mod make;
mod modules;
mod network;
mod obstacle;
mod order;
mod supply;
mod tree;
mod walk;

pub use generator::{Found, Generator, find as find_generator};
pub use hardening::Hardening;
pub use inspect::{inspect, kernels};
pub use make::{holds_the_stage, images_with_stage, make, remove_leftovers};
pub use modules::Missing;
pub use network::{Addressing, ImageNetwork};
pub use obstacle::obstacle;
pub use supply::{ModulesOptions, run as print_modules};

use crate::admin::installed_files::InstalledStage;
use tree::Tree;

/// How a file in the initramfs compares with the installed one, or several files do.
/// The later one is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstalledCopy {
    Same,
    Other,
    Missing,
}

impl InstalledCopy {
    fn of_text(image: &Tree, path: &str, text: &str) -> Self {
        match image.content(path) {
            None => Self::Missing,
            Some(there) if there == text.as_bytes() => Self::Same,
            Some(_) => Self::Other,
        }
    }

    fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

/// What one initramfs holds.
#[derive(Clone, Debug)]
pub struct Image {
    /// The boot stage.
    pub stage: InstalledCopy,
    /// vault.conf: the same vault.
    pub vault_conf: InstalledCopy,
    /// What starts the stage.
    pub script: InstalledCopy,
    /// Scripts that run before the stage and mount or resume something; `None`
    /// where the stage is not run at all, or what touches disks does not wait for it.
    pub before: Option<Vec<String>>,
    /// Kernel modules that this server needs and the image lacks.
    pub missing: Vec<Missing>,
    /// The network that it sets up by itself.
    pub network: ImageNetwork,
}

/// A kernel that is installed, and its initramfs.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub version: String,
    /// The running or the newest one: those are what starts next.
    pub is_next: bool,
    /// The image, or why it could not be inspected.
    pub image: Result<Image, NoImage>,
}

/// Why nothing is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoImage {
    /// There is no such file.
    Absent,
    /// In words.
    Unreadable(String),
}

/// What was found of all kernels.
pub struct InitramfsFacts {
    /// Every installed kernel.
    pub kernels: Vec<Kernel>,
    /// The boot stage from which the next initramfs is made.
    pub installed_stage: InstalledStage,
    /// The scripts from which the next initramfs is made are in place.
    pub scripts: bool,
    /// The kernel's command line has a `panic=` of its own.
    pub panic: bool,
    pub hardening: Hardening,
}
