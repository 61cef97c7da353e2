//! The paths of a run, beside the data directory and on its filesystem.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::admin::durable::Filesystem;
use crate::admin::mariadb::check_file::MARK;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::ROOM;
use crate::admin::mariadb::data_directory::{DataDirectory, Door, holds_something};
use crate::admin::problem::Problem;
use crate::sys::mount;

use super::journal::Journal;

/// The name of the room in which a copy is made.
pub const MAKING: &str = "mariadb.making";

/// The directories of one server.
#[derive(Clone, Debug)]
pub struct RunPaths {
    /// The data directory, seen and real.
    pub data: DataDirectory,
    /// The room in which the copy is made.
    pub making: PathBuf,
    /// The room of the original once the copy has its place. The two conversions have
    /// rooms of their own: without a journal, too, it is known what lies there.
    pub original: PathBuf,
    conversion: Conversion,
}

impl RunPaths {
    /// `seen` is the data directory as MariaDB sees it.
    pub fn of(seen: &Path, conversion: Conversion) -> Self {
        let data = DataDirectory::seen_at(seen);
        let beside = |name: &str| data.real().with_file_name(name);
        Self {
            making: beside(MAKING),
            original: beside(match conversion {
                Conversion::Encrypt => "mariadb.original",
                Conversion::Decrypt => "mariadb.encrypted",
            }),
            conversion,
            data,
        }
    }

    /// The directories of this run.
    pub fn of_run(journal: &Journal) -> Self {
        Self::of(&journal.data, journal.conversion)
    }

    /// The original's own place: a clear database lies where MariaDB looks, an encrypted
    /// one behind the gate.
    pub fn home_of_original(&self) -> &Path {
        match self.conversion {
            Conversion::Encrypt => self.data.seen(),
            Conversion::Decrypt => self.data.real(),
        }
    }

    /// Where the copy goes.
    pub fn home_of_copy(&self) -> &Path {
        match self.conversion {
            Conversion::Encrypt => self.data.real(),
            Conversion::Decrypt => self.data.seen(),
        }
    }

    /// Whether a database lies in the original's own place.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn is_original_home(&self) -> io::Result<bool> {
        self.holds_database(self.home_of_original())
    }

    /// Whether a database lies where the copy goes.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn is_copy_home(&self) -> io::Result<bool> {
        self.holds_database(self.home_of_copy())
    }

    /// Where MariaDB looks, what lies there may be the gate's.
    fn holds_database(&self, home: &Path) -> io::Result<bool> {
        match home == self.data.seen() {
            true => Ok(self.data.door()? == Door::Foreign),
            false => Ok(holds_something(home)),
        }
    }

    /// The filesystem that holds all of them.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn filesystem(&self) -> io::Result<Filesystem> {
        Filesystem::of(self.make_root()?)
    }

    /// Makes the directory that holds all of them, closed to everybody but
    /// root.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn make_root(&self) -> io::Result<&Path> {
        let root = self.data.real().parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(root)?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
        Ok(root)
    }
}

/// A second check file, inside the data directory.
pub fn check_beside(data: &DataDirectory) -> PathBuf {
    data.real().join(MARK)
}

/// The id of this boot, as the kernel writes it.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Unmounts what is mounted here, and removes the empty directory under it. Does
/// nothing where there is none.
///
/// # Errors
/// What the kernel says.
pub fn end_mount(at: &Path) -> io::Result<()> {
    while mount::is_mount_point(at)? {
        mount::unmount_lazily(at)?;
    }
    // Not remove_dir_all: it would delete the files of what is still mounted.
    match fs::remove_dir(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what a run kept in memory: sockets, and the servers' messages.
///
/// # Errors
/// What the kernel says; also when something is still mounted there, whose
/// files would go too.
pub fn leave_room() -> io::Result<()> {
    let room = Path::new(ROOM);
    let mounts = mount::mounts_of(Path::new("/proc/self/mountinfo"))?;
    if mounts.iter().any(|mount| mount.point.starts_with(room)) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    match fs::remove_dir_all(room) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file or directory that could not be read, written or moved.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub fn problem(error: io::Error) -> Problem {
    Problem::failed(
        format!("A file could not be written or read: {error}."),
        "Is a disk full or failing? `df` and `dmesg` tell. Then run the command again.",
    )
}
