//! The parsers of the commands, for `fuzz/`.

/// Reads an initramfs, and what in it runs before the stage.
pub use super::initramfs::fuzzing::image as initramfs_image;
