//! A volume that is mounted for a moment, reached by this process alone.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::driver::{self, Driver};
use super::format::{Format, START, has_unreplayed_journal};
use crate::sys::block::DirectFile;
use crate::sys::detached_mount::DetachedMount;
use crate::sys::mount::Access;
use crate::sys::write_protection::{WriteProtection, end_left_behind};

const POLL: Duration = Duration::from_millis(20);

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
    /// Mounts a volume for reading only. Nothing on it is changed: the kernel
    /// refuses writes to the device meanwhile, and no journal is replayed. Only
    /// what is mounted elsewhere already is mounted as it is there.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn for_reading(device: &Path) -> Result<Self, MountError> {
        let protected = WriteProtection::begin(device).map_err(MountError::Failed)?;
        let mount = match mount(device, Access::ReadOnly) {
            // Mounted elsewhere for writing: the kernel wants the same here.
            Err(MountError::Failed(Errno::EBUSY)) => mount(device, Access::ReadWrite),
            result => result,
        };
        Ok(Self {
            mount: mount?,
            _protected: protected,
        })
    }

    /// Mounts a volume for writing; waits while somebody looks at it, which keeps
    /// the kernel from writing to it.
    ///
    /// # Errors
    /// [`MountError`]; EBUSY where somebody still looks at it after `waits`, EROFS
    /// where the device takes no writes.
    pub fn for_writing(device: &Path, waits: Duration) -> Result<Self, MountError> {
        let until = Instant::now() + waits;
        loop {
            let errno = match mount_for_writing(device) {
                Ok(mount) => {
                    return Ok(Self {
                        mount,
                        _protected: None,
                    });
                }
                Err(Refused::ForGood(error)) => return Err(error),
                Err(Refused::WhileLookedAt(errno)) => errno,
            };
            if Instant::now() >= until {
                return Err(MountError::Failed(errno));
            }
            sleep(POLL);
        }
    }

    /// Its top directory, for this process alone and as long as this lives.
    pub fn path(&self) -> PathBuf {
        self.mount.path()
    }
}

fn mount(device: &Path, access: Access) -> Result<DetachedMount, MountError> {
    let format = format_of(device).map_err(MountError::Failed)?;
    let filesystem = format.filesystem().ok_or(MountError::Format(format))?;
    let options = filesystem.mount_options(access);
    DetachedMount::new(device, filesystem.name(), access, options).map_err(|errno| {
        let missing = driver::missing(filesystem, errno, driver::is_there);
        // ENOENT, too, where it has been pulled out.
        match missing.filter(|_| device.exists()) {
            Some(driver) => MountError::NoDriver(driver),
            None => MountError::Failed(errno),
        }
    })
}

/// Why a volume is not mounted for writing.
enum Refused {
    /// Somebody looks at it: with this errno until that has ended.
    WhileLookedAt(Errno),
    ForGood(MountError),
}

fn mount_for_writing(device: &Path) -> Result<DetachedMount, Refused> {
    let is_protected =
        |error: &MountError| matches!(error, MountError::Failed(Errno::EACCES | Errno::EROFS));
    let error = match mount(device, Access::ReadWrite) {
        Err(error) => error,
        Ok(mount) => return Ok(mount),
    };
    if error == MountError::Failed(Errno::EBUSY) {
        return Err(Refused::WhileLookedAt(Errno::EBUSY));
    }
    if !is_protected(&error) {
        return Err(Refused::ForGood(error));
    }
    // A look that was killed has left it protected.
    match end_left_behind(device) {
        Ok(()) => mount(device, Access::ReadWrite).map_err(|error| {
            Refused::ForGood(match is_protected(&error) {
                // The kernel says EACCES of a device that takes no writes, too.
                true => MountError::Failed(Errno::EROFS),
                false => error,
            })
        }),
        Err(Errno::EWOULDBLOCK | Errno::EBUSY) => Err(Refused::WhileLookedAt(Errno::EROFS)),
        Err(_) => Err(Refused::ForGood(error)),
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tempfile::NamedTempFile;

    use super::*;
    use crate::sys::loop_device::Loop;

    fn with_ext4() -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        file.as_file().set_len(8 << 20).unwrap();
        let mut make = Command::new("mkfs.ext4");
        let made = make.arg("-q").arg(file.path()).output();
        assert!(made.unwrap().status.success());
        file
    }

    #[test]
    fn a_stick_with_its_slider_on_is_told_of_at_once() {
        let file = with_ext4();
        // A loop device of a file that takes no writes is one.
        let Some(device) = Loop::read_only(file.path()) else {
            return;
        };
        let began = Instant::now();
        let refused = Mounted::for_writing(&device.0, Duration::from_secs(20)).err();
        assert_eq!(refused, Some(MountError::Failed(Errno::EROFS)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn who_writes_waits_for_who_looks() {
        let file = with_ext4();
        let Some(device) = Loop::of(file.path()) else {
            return;
        };
        let look = Mounted::for_reading(&device.0).unwrap();
        let busy = Mounted::for_writing(&device.0, Duration::ZERO).err();
        assert_eq!(busy, Some(MountError::Failed(Errno::EBUSY)));
        std::thread::scope(|scope| {
            let write = scope.spawn(|| Mounted::for_writing(&device.0, Duration::from_secs(20)));
            sleep(Duration::from_millis(200));
            drop(look);
            assert!(write.join().unwrap().is_ok());
        });
    }
}
