//! The directories in which a copy is made: in a marked room that only root may
//! enter, and bind-mounted to where MariaDB can reach them.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{NewTables, ROOM, Target};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::KEY_FILE;
use crate::sys::mount;

use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::end_mount;

/// In a room, and in what MariaDB sees: for temporary files.
pub const SCRATCH: &str = "scratch";

/// The key files of the original and of its copy, where they are encrypted.
pub fn key_files(conversion: Conversion) -> [Option<&'static Path>; 2] {
    let released = Some(Path::new(KEY_FILE));
    match conversion {
        Conversion::Encrypt => [None, released],
        Conversion::Decrypt => [released, None],
    }
}

/// The new data directory, and one for temporary files.
const NAMES: [&str; 2] = ["new", SCRATCH];

/// The directories of a copy, as MariaDB sees them.
pub struct CopyMounts {
    data: PathBuf,
    scratch: PathBuf,
}

impl CopyMounts {
    /// Where MariaDB sees the new data directory of any copy.
    pub fn data() -> PathBuf {
        Path::new(ROOM).join(NAMES[0])
    }

    /// Makes both directories, empty and owned by MariaDB's user, and mounts them.
    ///
    /// # Errors
    /// What the filesystem or the kernel says.
    pub fn in_room(room: &MarkedRoom, user: ServiceUser) -> io::Result<Self> {
        fs::create_dir_all(ROOM)?;
        fs::set_permissions(ROOM, Permissions::from_mode(0o711))?;
        let [data, scratch] = NAMES.map(|name| Path::new(ROOM).join(name));
        for (made, seen) in [(room.data(), &data), (room.file(SCRATCH), &scratch)] {
            DirBuilder::new().mode(0o700).create(&made)?;
            chown(&made, Some(user.uid), Some(user.gid))?;
            fs::create_dir_all(seen)?;
            mount::bind(&made, seen)?;
        }
        Ok(Self { data, scratch })
    }

    /// The target of a copy, encrypted with this key file if there is one.
    pub fn target<'a>(&'a self, key_file: Option<&'a Path>) -> Target<'a> {
        Target {
            data: &self.data,
            scratch: &self.scratch,
            key_file,
            new_tables: NewTables::OnTheFirstKey,
        }
    }

    /// Unmounts both. Does nothing where they are not mounted.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn end() -> io::Result<()> {
        NAMES
            .iter()
            .try_for_each(|name| end_mount(&Path::new(ROOM).join(name)))
    }
}
