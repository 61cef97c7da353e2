//! The installed initramfs images: what they hold, and what the boot stage needs on
//! this machine. [`inspect`] gathers.

mod archive;
mod cpio;
mod hardening;
mod hardware;
mod inspect;
mod kernels;
mod modules;
mod network;
mod order;
mod supply;
mod tree;

pub use hardening::Hardening;
pub use inspect::{inspect, kernels};
pub use modules::Missing;
pub use network::{Addressing, ImageNetwork};
pub use supply::{ModulesOptions, run as print_modules};

use crate::admin::installed_files::InstalledStage;

/// How a file in the initramfs compares with the installed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstalledCopy {
    Same,
    Other,
    Missing,
}

/// What one initramfs holds.
#[derive(Clone, Debug)]
pub struct Image {
    /// The boot stage.
    pub stage: InstalledCopy,
    /// vault.conf: the same vault.
    pub vault_conf: InstalledCopy,
    /// The script that starts the stage.
    pub script: InstalledCopy,
    /// Scripts that run before the stage and mount or resume something; `None`
    /// where initramfs-tools does not run the stage at all.
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
