//! mount(2) and umount2(2), with the flags that stayput always wants.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const NOTHING_RUNS: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

/// What a foreign filesystem is mounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// Mounts a block device: nosuid, nodev, noexec.
///
/// # Errors
/// What mount(2) says.
pub fn mount_device(
    device: &Path,
    target: &Path,
    filesystem: &str,
    access: Access,
    options: &str,
) -> Result<(), Errno> {
    let flags = match access {
        Access::ReadOnly => NOTHING_RUNS | MsFlags::MS_RDONLY,
        Access::ReadWrite => NOTHING_RUNS,
    };
    mount(Some(device), target, Some(filesystem), flags, Some(options))
}

/// Mounts an in-memory filesystem (`tmpfs` or `ramfs`): nosuid, nodev, noexec.
///
/// # Errors
/// What mount(2) says; EINVAL for an option that this kernel does not know.
pub fn mount_memory(target: &Path, filesystem: &str, options: &str) -> Result<(), Errno> {
    mount(
        Some("stayput"),
        target,
        Some(filesystem),
        NOTHING_RUNS,
        Some(options),
    )
}

/// Makes `source` visible at `target` too.
///
/// # Errors
/// What mount(2) says.
pub fn bind(source: &Path, target: &Path) -> Result<(), Errno> {
    mount(
        Some(source),
        target,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
}

/// # Errors
/// What umount2(2) says: EBUSY while a file in it is open, EINVAL when
/// nothing is mounted there.
pub fn unmount(target: &Path) -> Result<(), Errno> {
    umount2(target, MntFlags::UMOUNT_NOFOLLOW)
}

/// Takes the mount out of the tree at once; it ends when its last user does.
///
/// # Errors
/// What umount2(2) says.
pub fn unmount_lazily(target: &Path) -> Result<(), Errno> {
    umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
}
