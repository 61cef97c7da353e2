//! The data directory, closed to everything but the gate.
//!
//! The real directory lies below one that only root may enter. Where MariaDB
//! looks for it there is an empty directory with the immutable attribute: not
//! even root can write in it, so mysqld_safe, /etc/init.d/mariadb, mariadbd
//! started by hand (also with --user=root), mysql_install_db and the
//! package's scripts all fail before they touch or create anything. The gate
//! binds the real directory over it. A power cut or a reboot ends the bind,
//! so closed is the state that the server falls back into by itself; modes
//! and owners would not do, because root passes them and the package's
//! scripts put them back.
//!
//! The directory holds one text, which tells people where the data is.
//!
//! After a stop a second cover goes over it, unless the machine goes down too: a
//! tmpfs whose inodes are all taken. It stops the same callers (tried with each, as
//! root too), but lets the package's postinst remove and touch its version
//! flag; on the immutable directory alone that fails, and with it every
//! update of mariadb-server.
//!
//! Root can point mariadbd at the real directory by its path. Nobody does that by
//! mistake.

mod notice;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use crate::sys::{attributes, mount};
use notice::Contents;

/// Where MariaDB sees its data, and where it really lies.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    seen: PathBuf,
    real: PathBuf,
}

/// What is at the path where MariaDB looks for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The real data directory.
    Open,
    /// The tmpfs without room.
    Covered,
    /// The immutable directory, empty but for the notice.
    Bare,
    /// That directory without the immutable attribute: somebody could write in
    /// it.
    Unguarded,
    /// Files that are not the enrolled database.
    Foreign,
    /// Nothing, or no directory.
    Missing,
}

impl DataDirectory {
    /// The real directory lies beside the one that MariaDB sees, on the same
    /// filesystem: /var/lib/mysql lies in /var/lib/stayput/mariadb.
    pub fn seen_at(seen: &Path) -> Self {
        let parent = seen.parent().unwrap_or(Path::new("/"));
        Self {
            seen: seen.to_owned(),
            real: parent.join("stayput/mariadb"),
        }
    }

    /// Where MariaDB looks for its data.
    pub fn seen(&self) -> &Path {
        &self.seen
    }

    /// Where the data lies.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// # Errors
    /// What the filesystem says.
    pub fn door(&self) -> io::Result<Door> {
        let at = match fs::symlink_metadata(&self.seen) {
            Ok(at) if at.is_dir() => at,
            Ok(_) => return Ok(Door::Missing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Door::Missing),
            Err(error) => return Err(error),
        };
        if let Ok(real) = fs::metadata(&self.real)
            && (real.dev(), real.ino()) == (at.dev(), at.ino())
        {
            return Ok(Door::Open);
        }
        if self.is_cover(at.dev())? {
            return Ok(Door::Covered);
        }
        if notice::contents(&self.seen, &self.real)? == Contents::Other {
            return Ok(Door::Foreign);
        }
        let immutable = attributes::is_immutable(&File::open(&self.seen)?)?;
        Ok(if immutable {
            Door::Bare
        } else {
            Door::Unguarded
        })
    }

    fn is_cover(&self, device: u64) -> io::Result<bool> {
        let parent = self.seen.parent().unwrap_or(Path::new("/"));
        let mounted = fs::metadata(parent)?.dev() != device;
        Ok(mounted && statfs(&self.seen)?.filesystem_type() == TMPFS_MAGIC)
    }

    /// Whether the notice lies in the bare directory: older versions wrote none.
    pub fn has_notice(&self) -> bool {
        notice::contents(&self.seen, &self.real).is_ok_and(|found| found == Contents::Notice)
    }

    /// Puts the immutable directory with its notice in place, owned as the
    /// package expects it: its scripts would try to change the owner otherwise.
    ///
    /// # Errors
    /// What the filesystem says; also when something else is there.
    pub fn guard(&self, uid: u32, gid: u32) -> io::Result<()> {
        // A boot between two tries has covered it.
        self.uncover()?;
        match fs::create_dir(&self.seen) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let directory = File::open(&self.seen)?;
        let immutable = attributes::is_immutable(&directory)?;
        match notice::contents(&self.seen, &self.real)? {
            Contents::Notice if immutable => return Ok(()),
            // What lies there is not ours to cover.
            Contents::Other => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            _ => {}
        }
        if immutable {
            attributes::set_immutable(&directory, false)?;
        }
        chown(&self.seen, Some(uid), Some(gid))?;
        fs::set_permissions(&self.seen, fs::Permissions::from_mode(0o755))?;
        // Closed is more important than told: on a full disk it goes without.
        let _ =
            notice::put(&self.seen, &self.real, uid, gid).and_then(|()| notice::fix(&self.seen));
        attributes::set_immutable(&directory, true)?;
        Ok(())
    }

    /// Undoes [`DataDirectory::guard`]: the place is empty and can be written.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn unguard(&self) -> io::Result<()> {
        self.uncover()?;
        attributes::set_immutable(&File::open(&self.seen)?, false)?;
        match notice::contents(&self.seen, &self.real)? {
            Contents::Notice | Contents::Torn => notice::remove(&self.seen),
            Contents::Nothing | Contents::Other => Ok(()),
        }
    }

    /// Binds the real directory over the guarded place.
    ///
    /// # Errors
    /// What the filesystem says; then nothing is bound.
    pub fn open(&self) -> io::Result<()> {
        let flags = match self.door()? {
            Door::Open => return Ok(()),
            Door::Covered => version_flags(&self.seen)?,
            _ => Vec::new(),
        };
        self.uncover()?;
        mount::bind(&self.real, &self.seen)?;
        keep_version_flags(&self.real, &flags)
    }

    /// Takes the real directory away again. What is left is the immutable directory.
    ///
    /// # Errors
    /// What the filesystem says; the place may then be open.
    pub fn take_away(&self) -> io::Result<()> {
        while self.door()? == Door::Open {
            self.unmount()?;
        }
        Ok(())
    }

    /// Takes the real directory away again, and covers the place. A mariadbd
    /// that is still running keeps its files; nobody finds them any more.
    ///
    /// # Errors
    /// What the filesystem says; the place may then be bare, never open.
    pub fn close(&self) -> io::Result<()> {
        self.take_away()?;
        match self.door()? {
            Door::Bare => self.cover(),
            _ => Ok(()),
        }
    }

    /// Closes what the gate has left open when a unit was stopped that is masked: systemd
    /// may have forgotten what the gate has said for its end (257 does). What does not
    /// lie behind the gate is left as it is.
    ///
    /// # Errors
    /// As [`DataDirectory::close`].
    pub fn close_if_open(&self) -> io::Result<()> {
        match self.door()? {
            Door::Open => self.close(),
            _ => Ok(()),
        }
    }

    fn cover(&self) -> io::Result<()> {
        let owner = fs::metadata(&self.seen)?;
        let mut flags = match version_flags(&self.real) {
            // It was put aside, or its disk is not mounted: closed all the same.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            flags => flags?,
        };
        flags.truncate(1);
        // One for the directory, one for the notice. The size is what the
        // package's scripts want to see free; nothing new can be written into
        // it, for want of inodes.
        let options = format!(
            "size=64m,nr_inodes={},mode=0755,uid={},gid={}",
            2 + flags.len(),
            owner.uid(),
            owner.gid()
        );
        mount::mount_memory(&self.seen, "tmpfs", &options)?;
        notice::put(&self.seen, &self.real, owner.uid(), owner.gid())?;
        for flag in flags {
            File::create(self.seen.join(flag))?;
        }
        Ok(())
    }

    fn uncover(&self) -> io::Result<()> {
        while self.door()? == Door::Covered {
            self.unmount()?;
        }
        Ok(())
    }

    /// Whoever stands in it or has a file of it open keeps a mount that nobody
    /// else finds any more; no start waits for that.
    fn unmount(&self) -> io::Result<()> {
        match mount::unmount(&self.seen) {
            Err(Errno::EBUSY) => mount::unmount_lazily(&self.seen)?,
            result => result?,
        }
        Ok(())
    }
}

/// The names of the package's `debian-<version>.flag` files: by them it
/// refuses to go back to an older version.
fn version_flags(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)?.take(10_000) {
        if let Ok(name) = entry?.file_name().into_string()
            && name.starts_with("debian-")
            && name.ends_with(".flag")
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Carries over the flag that an update of the package left on the cover.
fn keep_version_flags(real: &Path, from_cover: &[String]) -> io::Result<()> {
    let known = version_flags(real)?;
    for name in from_cover.iter().filter(|name| !known.contains(name)) {
        File::create(real.join(name))?;
        for old in &known {
            fs::remove_file(real.join(old))?;
        }
    }
    Ok(())
}

/// Whether a directory is there with something in it. What cannot be told
/// counts as something.
pub fn holds_something(directory: &Path) -> bool {
    !is_empty_or_missing(directory)
}

/// Whether a directory is provably empty, or not there.
pub fn is_empty_or_missing(directory: &Path) -> bool {
    match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_seen_to_be_empty_counts_as_empty() {
        let room = tempfile::tempdir().unwrap();
        assert!(is_empty_or_missing(room.path()));
        assert!(is_empty_or_missing(&room.path().join("none")));
        fs::write(room.path().join("file"), "").unwrap();
        assert!(holds_something(room.path()));
        // What is no directory is not an empty one.
        assert!(holds_something(&room.path().join("file")));
    }
}
