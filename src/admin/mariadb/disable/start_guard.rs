//! What stands in front of a start of MariaDB that takes its keys from the owner's file:
//! without that file nothing is started. A MariaDB that misses its keys during recovery
//! loses rows.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::admin::durable::{remove_durably, write_durably};

const FILES: [&str; 2] = [
    "/etc/systemd/system/mariadb.service.d/key-file.conf",
    "/etc/systemd/system/mariadb@.service.d/key-file.conf",
];

const FIRST_LINE: &str = "# Written by `stayput mariadb disable`. It needs no stayput.";

/// The drop-in. `key_file` is a path that needs no quoting.
fn text(key_file: &Path) -> String {
    let path = key_file.display();
    format!(
        "{FIRST_LINE}\n\
         # MariaDB that starts without its keys after a power cut destroys committed rows.\n\
         [Unit]\n\
         RequiresMountsFor={path}\n\
         AssertPathExists={path}\n"
    )
}

/// Has every start wait for the key file's disk, and fail where the file is missing.
/// systemd has to read its units anew afterwards.
///
/// # Errors
/// What the filesystem says.
pub fn put(key_file: &Path) -> io::Result<()> {
    FILES
        .iter()
        .try_for_each(|path| write_durably(Path::new(path), text(key_file).as_bytes()))
}

/// Undoes [`put`]. A file of the owner's stays.
///
/// # Errors
/// What the filesystem says.
pub fn remove() -> io::Result<()> {
    let mut files = FILES.iter().map(Path::new);
    files.try_for_each(|path| match is_ours(path)? {
        true => remove_durably(path).map(drop),
        false => Ok(()),
    })
}

/// Whether something of it is there, or that cannot be told.
pub fn is_there() -> bool {
    let mut files = FILES.iter().map(Path::new);
    files.any(|path| is_ours(path).unwrap_or(true))
}

fn is_ours(path: &Path) -> io::Result<bool> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        text => Ok(text?.starts_with(FIRST_LINE.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_start_goes_without_the_key_file_or_its_disk() {
        let text = text(Path::new("/srv/keys/mariadb.keys"));
        let (_, unit) = text.split_once("[Unit]\n").unwrap();
        assert_eq!(
            unit,
            "RequiresMountsFor=/srv/keys/mariadb.keys\n\
             AssertPathExists=/srv/keys/mariadb.keys\n"
        );
    }

    #[test]
    fn drop_in_of_the_owners_is_not_removed() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("key-file.conf");
        assert!(!is_ours(&path).unwrap());
        fs::write(&path, "[Unit]\nAfter=network.target\n").unwrap();
        assert!(!is_ours(&path).unwrap());
        fs::write(&path, text(Path::new("/etc/mysql/k"))).unwrap();
        assert!(is_ours(&path).unwrap());
    }
}
