//! Prevents every start of MariaDB while its files are copied and moved. Its units
//! are masked until the next boot at the latest, and an empty read-only directory
//! covers its data. A power cut ends both, and the server comes up as it was.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::admin::mariadb::copying::ROOM;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::systemd::{self, SYSTEMCTL, reload};
use crate::sys::mount;

/// All names by which MariaDB is started: the package's service, its sockets and
/// instances, and the names of its predecessors.
const UNITS: [&str; 8] = [
    "mariadb.service",
    "mariadb.socket",
    "mariadb-extra.socket",
    "mariadb@.service",
    "mariadb@.socket",
    "mariadb-extra@.socket",
    "mysql.service",
    "mysqld.service",
];

/// Where a link masks a unit that stands in /etc, too (systemd.unit(5), unit
/// file load path).
const CONTROL: &str = "/run/systemd/system.control";

const NEXT: &str = "`systemctl status mariadb` tells more.";

/// Masks MariaDB's units until [`unmask_units`] or the next boot.
///
/// # Errors
/// When systemd does not do it.
pub fn mask_units() -> Result<()> {
    let mut mask = vec!["mask", "--runtime", "--quiet"];
    mask.extend(UNITS);
    systemd::systemctl(&mask, NEXT)?;
    if is_masked() {
        return Ok(());
    }
    // The owner's unit in /etc takes precedence over the mask.
    let link = || -> io::Result<()> {
        fs::create_dir_all(CONTROL)?;
        for unit in UNITS {
            match symlink("/dev/null", Path::new(CONTROL).join(unit)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    };
    link().map_err(|error| Problem::failed(format!("{CONTROL}: {error}"), NEXT))?;
    reload()?;
    if is_masked() {
        return Ok(());
    }
    Err(Problem::failed(
        "systemd does not let MariaDB's unit be masked.",
        NEXT,
    ))
}

fn is_masked() -> bool {
    state("LoadState") == "masked"
}

fn state(property: &str) -> String {
    let mut show = Command::new(SYSTEMCTL);
    show.args(["show", "--property", property, "--value", "mariadb.service"]);
    program::run(&mut show, "").map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// Unmasks MariaDB's units. Does nothing where they are not masked.
///
/// # Errors
/// When systemd does not do it.
pub fn unmask_units() -> Result<()> {
    for unit in UNITS {
        let link = Path::new(CONTROL).join(unit);
        if fs::read_link(&link).is_ok_and(|to| to == Path::new("/dev/null")) {
            fs::remove_file(&link)
                .map_err(|error| Problem::failed(format!("{}: {error}", link.display()), NEXT))?;
        }
    }
    let mut unmask = vec!["unmask", "--runtime", "--quiet"];
    unmask.extend(UNITS);
    systemd::systemctl(&unmask, NEXT)?;
    reload()
}

/// The original data directory under another name, for the private server
/// alone, while its own name leads to an empty directory.
pub struct Cover<'a> {
    home: &'a Path,
}

/// Where the private server finds the original.
const ORIGINAL: &str = "old";

impl<'a> Cover<'a> {
    /// The cover over the data directory at this path.
    pub fn of(home: &'a Path) -> Self {
        Self { home }
    }

    /// Covers the place.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn put(&self) -> io::Result<()> {
        let behind = self.behind();
        fs::create_dir_all(&behind)?;
        // The tree of mounts is shared: what is mounted on the original's own
        // place would be mounted on its other name too, here and in the
        // namespaces of other units. Nothing comes past these two.
        mount::bind(&behind, &behind)?;
        mount::keep_apart(&behind)?;
        mount::bind(self.home, &behind)?;
        mount::keep_apart(&behind)?;
        mount::mount_memory(self.home, "tmpfs", "ro,size=4k,nr_inodes=1,mode=0555")?;
        Ok(())
    }

    /// Where the original is reachable while its own place is covered.
    pub fn behind(&self) -> std::path::PathBuf {
        Path::new(ROOM).join(ORIGINAL)
    }

    /// Removes the cover and the other name. Does nothing where there is none; one
    /// that is in use ends with its last user.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn take_away(&self) -> io::Result<()> {
        let behind = self.behind();
        let is_mount = |path: &Path| crate::sys::mount::is_mount_point(path);
        while is_mount(&behind)? {
            mount::unmount_lazily(&behind)?;
        }
        // Only a cover of this kind: other mounts are not ours.
        while is_mount(self.home)? && is_cover(self.home)? {
            mount::unmount_lazily(self.home)?;
        }
        // remove_dir takes an empty directory only.
        match fs::remove_dir(&behind) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_cover(home: &Path) -> io::Result<bool> {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    Ok(statfs(home)?.filesystem_type() == TMPFS_MAGIC)
}
