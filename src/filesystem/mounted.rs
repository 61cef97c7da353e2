//! A volume that is mounted for a moment, reached by this process alone.

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::driver::{self, Driver};
use super::format::{Format, START, has_unreplayed_journal};
use crate::sys::block::DirectFile;
use crate::sys::detached_mount::DetachedMount;
use crate::sys::mount::Access;
use crate::sys::write_protection::{WriteProtection, end_left_behind, is_protected};

/// Why a volume cannot be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountError {
    /// It holds no filesystem that is read here.
    Format(Format),
    /// The running kernel has no driver.
    NoDriver(Driver),
    /// With this errno.
    Failed(Errno),
}

/// A mounted volume; dropping it unmounts.
pub struct Mounted {
    // Dropped first: the device is let go when nothing is mounted any more.
    mount: DetachedMount,
    _protected: Option<WriteProtection>,
}

impl Mounted {
    /// Mounts a volume. For reading only, nothing on it is changed: the kernel
    /// refuses writes to the device meanwhile, and no journal is replayed. Only
    /// what is mounted elsewhere already is mounted as it is there.
    ///
    /// # Errors
    /// [`MountError`]; for writing EBUSY while somebody reads it, EROFS where the device
    /// takes no writes.
    pub fn begin(device: &Path, access: Access) -> Result<Self, MountError> {
        let format = format_of(device).map_err(MountError::Failed)?;
        let filesystem = format.filesystem().ok_or(MountError::Format(format))?;
        let mount = |access| {
            let options = filesystem.mount_options(access);
            DetachedMount::new(device, filesystem.name(), access, options).map_err(|errno| {
                let missing = driver::missing(filesystem, errno, driver::is_there);
                // ENOENT, too, where it has been pulled out.
                match missing.filter(|_| device.exists()) {
                    Some(driver) => MountError::NoDriver(driver),
                    None => MountError::Failed(errno),
                }
            })
        };
        let (mount, protected) = match access {
            Access::ReadOnly => {
                let protected = WriteProtection::begin(device).map_err(MountError::Failed)?;
                let mount = match mount(access) {
                    // Mounted elsewhere for writing: the kernel wants the same here.
                    Err(MountError::Failed(Errno::EBUSY)) => mount(Access::ReadWrite),
                    result => result,
                };
                (mount?, protected)
            }
            Access::ReadWrite => {
                let mount = match mount(access) {
                    // A look that was killed has left it protected.
                    Err(MountError::Failed(Errno::EACCES | Errno::EROFS))
                        if end_left_behind(device).is_ok() =>
                    {
                        mount(access)
                    }
                    result => result,
                };
                let mount = mount.map_err(|error| match error {
                    // The kernel says the same of a device that takes no writes as of
                    // one that must not be looked at.
                    MountError::Failed(Errno::EACCES) if is_protected(device) => {
                        MountError::Failed(Errno::EROFS)
                    }
                    error => error,
                });
                (mount?, None)
            }
        };
        Ok(Self {
            mount,
            _protected: protected,
        })
    }

    /// Its top directory, for this process alone and as long as this lives.
    pub fn path(&self) -> PathBuf {
        self.mount.path()
    }
}

/// What a volume is formatted as.
///
/// # Errors
/// What open(2) or pread(2) says.
pub fn format_of(device: &Path) -> Result<Format, Errno> {
    start_of(device).map(|start| Format::of(&start))
}

/// Whether only mounting it for writing shows what is on it: see
/// [`has_unreplayed_journal`].
pub fn is_replay_due(device: &Path) -> bool {
    start_of(device).is_ok_and(|start| has_unreplayed_journal(&start))
}

/// The first bytes of a volume; one block alone where it is shorter, or where the
/// others cannot be read.
fn start_of(device: &Path) -> Result<Vec<u8>, Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    let file = DirectFile::open(device, false).map_err(errno)?;
    let mut start = vec![0; START];
    if file.read_many(0, &mut start).is_err() {
        start.truncate(4096);
        file.read(0, &mut start)?;
    }
    Ok(start)
}
