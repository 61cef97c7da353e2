//! Opens files in a directory by the directory's descriptor and a name. No link
//! is followed and no mount is crossed, so a path that is swapped meanwhile
//! leads nowhere else.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open as open_path, openat2};
use nix::sys::stat::Mode;

/// Opens `name` in `directory`. Linux 5.6 and later.
///
/// # Errors
/// What openat2(2) says: ELOOP for a symbolic link (unless `flags` has
/// O_PATH), EXDEV where something is mounted on it, bind mounts included.
pub fn open(directory: impl AsFd, name: &OsStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_XDEV,
        );
    openat2(directory, name, how)
}

/// Opens a directory by its path; the path's last part must be no link.
///
/// # Errors
/// What open(2) says: ENOTDIR for a link or a file.
pub fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open_path(path, flags, Mode::empty())
}

/// Opens a directory in `directory`.
///
/// # Errors
/// See [`open`].
pub fn open_directory(directory: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    open(directory, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// The names in a directory, sorted. `None` when there are more than `most`.
///
/// # Errors
/// What readdir(3) says.
pub fn names(directory: impl AsFd, most: usize) -> Result<Option<Vec<OsString>>, Errno> {
    // A descriptor of its own, because reading moves its offset.
    let again = open(directory, OsStr::new("."), OFlag::O_RDONLY)?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(again)?.iter() {
        let name = entry?.file_name().to_bytes().to_vec();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() == most {
            return Ok(None);
        }
        names.push(OsString::from_vec(name));
    }
    names.sort_unstable();
    Ok(Some(names))
}

/// The metadata of `name` in `directory`; of a link, the link's own.
///
/// # Errors
/// See [`open`].
pub fn metadata(directory: impl AsFd, name: &OsStr) -> io::Result<Metadata> {
    File::from(open(directory, name, OFlag::O_PATH)?).metadata()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_and_a_way_out_are_not_followed() {
        let room = tempfile::tempdir().unwrap();
        fs::write(room.path().join("secret"), b"x").unwrap();
        fs::create_dir(room.path().join("in")).unwrap();
        symlink("../secret", room.path().join("in/link")).unwrap();
        let inside = open_root(&room.path().join("in")).unwrap();
        let try_to = |name: &str| open(&inside, OsStr::new(name), OFlag::O_RDONLY).unwrap_err();
        assert_eq!(try_to("link"), Errno::ELOOP);
        assert_eq!(try_to("../secret"), Errno::EXDEV);
        symlink("in", room.path().join("door")).unwrap();
        assert!(open_root(&room.path().join("door")).is_err());
    }

    #[test]
    fn names_are_sorted_and_no_more_than_asked_for() {
        let room = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            fs::write(room.path().join(name), b"").unwrap();
        }
        let root = open_root(room.path()).unwrap();
        let read = |most| names(&root, most).unwrap();
        assert_eq!(read(2), Some(vec!["a".into(), "b".into()]));
        assert_eq!(read(2).map(|names| names.len()), Some(2), "read again");
        assert_eq!(read(1), None);
    }
}
