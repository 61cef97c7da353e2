//! Two directories change places in one step (renameat2(2)): whenever the power goes, each
//! name leads to one of them.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Exchanges what two paths of one filesystem lead to. Not on the disk yet: sync both
/// directories.
///
/// # Errors
/// What renameat2(2) says: ENOENT where one is missing, EINVAL where the filesystem cannot.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let text = |path: &Path| {
        CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
    };
    let (one, other): (CString, CString) = match (text(one), text(other)) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    // SAFETY: both are NUL-terminated and live for the whole call, which only reads them
    // (renameat2(2)).
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn full_directories_change_places() {
        let room = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| room.path().join(name));
        for path in [&old, &new] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("name"), path.to_str().unwrap()).unwrap();
        }
        exchange(&old, &new).unwrap();
        let there = fs::read_to_string(old.join("name")).unwrap();
        assert_eq!(there, new.to_str().unwrap());
        let missing = exchange(&old, &room.path().join("none")).unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
        assert!(old.exists());
    }
}
