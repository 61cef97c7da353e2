//! The one file in the closed directory: it tells whoever looks there, a
//! person or a person who reads the copy that a backup made, where the data is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use crate::sys::attributes;

/// The notice's file name.
pub const NAME: &str = "WHERE-THE-DATA-IS.txt";

/// What the directory holds, as far as it matters who put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    Nothing,
    /// The notice, whole.
    Notice,
    /// A piece of the notice: the power went while it was written.
    Torn,
    /// Something else.
    Other,
}

/// The text. One that was ever written is known for ever: a text that is not
/// would make the directory somebody else's, and MariaDB would not start. So
/// when it changes, the old one is kept beside it.
pub fn text(real: &Path) -> String {
    format!(
        "This directory is empty on purpose.\n\
         \n\
         The database of this server is encrypted. Its files lie in\n\
         {real}\n\
         and are shown here only while MariaDB runs, after stayput has checked the keys.\n\
         \n\
         BACKUPS: a program that copies the files of this directory (tar, rsync, Bacula,\n\
         Borg, restic, a snapshot) saves NOTHING while MariaDB is stopped, and files that\n\
         do not fit together while it runs. `rsync --delete` also empties the copy of\n\
         yesterday. Ask the running server instead:\n\
         \n\
         \x20   mariadb-dump --all-databases --single-transaction --routines --events > FILE\n\
         \n\
         Anybody can read that file: encrypt it, or keep it where it is safe. For\n\
         mariadb-backup, and for restoring, see stayput's README (Backups).\n\
         \n\
         DO NOT put files here, restore old files here, start mariadbd by hand, or take\n\
         away the attribute that protects this directory (chattr): a MariaDB that starts\n\
         without its keys destroys rows.\n\
         \n\
         MariaDB does not start? `stayput check` and `systemctl status mariadb` say why.\n",
        real = real.display()
    )
}

/// # Errors
/// What the filesystem says.
pub fn contents(directory: &Path, real: &Path) -> io::Result<Contents> {
    let mut entries = fs::read_dir(directory)?;
    let Some(first) = entries.next().transpose()? else {
        return Ok(Contents::Nothing);
    };
    let alone = entries.next().is_none();
    if !alone || first.file_name() != NAME || !first.file_type()?.is_file() {
        return Ok(Contents::Other);
    }
    let text = text(real).into_bytes();
    let mut found = Vec::with_capacity(text.len() + 1);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(first.path())?;
    file.take(text.len() as u64 + 1).read_to_end(&mut found)?;
    Ok(match text.starts_with(&found) {
        true if found.len() == text.len() => Contents::Notice,
        true => Contents::Torn,
        false => Contents::Other,
    })
}

/// Writes it, in place of a torn one. Owned as everything in the data
/// directory: the package's scripts would try to change the owner otherwise.
///
/// # Errors
/// What the filesystem says.
pub fn put(directory: &Path, real: &Path, uid: u32, gid: u32) -> io::Result<()> {
    remove(directory)?;
    let path = directory.join(NAME);
    let mut file = File::create_new(&path)?;
    file.write_all(text(real).as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(0o444))?;
    file.sync_all()?;
    chown(&path, Some(uid), Some(gid))
}

/// Keeps it from being changed, where the filesystem can.
///
/// # Errors
/// What the filesystem says.
pub fn fix(directory: &Path) -> io::Result<()> {
    attributes::set_immutable(&File::open(directory.join(NAME))?, true)?;
    Ok(())
}

/// Takes it away, if it is there.
///
/// # Errors
/// What the filesystem says.
pub fn remove(directory: &Path) -> io::Result<()> {
    let path = directory.join(NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if attributes::is_immutable(&file).unwrap_or(false) {
        attributes::set_immutable(&file, false)?;
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(files: &[(&str, &[u8])]) -> Contents {
        let room = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(room.path().join(name), bytes).unwrap();
        }
        contents(room.path(), Path::new("/var/lib/stayput/mariadb")).unwrap()
    }

    #[test]
    fn only_the_notice_itself_is_ours() {
        let text = text(Path::new("/var/lib/stayput/mariadb"));
        let whole = text.as_bytes();
        assert_eq!(judged(&[]), Contents::Nothing);
        assert_eq!(judged(&[(NAME, whole)]), Contents::Notice);
        for torn in [0, 1, whole.len() - 1] {
            assert_eq!(judged(&[(NAME, &whole[..torn])]), Contents::Torn);
        }
        let longer = [whole, b"x"].concat();
        for files in [
            vec![(NAME, b"other".as_slice())],
            vec![(NAME, longer.as_slice())],
            vec![("ibdata1", whole)],
            vec![(NAME, whole), ("ibdata1", b"")],
        ] {
            assert_eq!(judged(&files), Contents::Other);
        }
    }

    #[test]
    fn a_link_or_a_directory_of_its_name_is_not_the_notice() {
        let real = Path::new("/real");
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("text");
        fs::write(&file, text(real)).unwrap();
        let place = room.path().join("place");
        fs::create_dir(&place).unwrap();
        std::os::unix::fs::symlink(&file, place.join(NAME)).unwrap();
        assert_eq!(contents(&place, real).unwrap(), Contents::Other);
        fs::remove_file(place.join(NAME)).unwrap();
        fs::create_dir(place.join(NAME)).unwrap();
        assert_eq!(contents(&place, real).unwrap(), Contents::Other);
    }

    #[test]
    fn the_text_fits_a_screen_and_names_the_real_place() {
        let text = text(Path::new("/var/lib/stayput/mariadb"));
        assert!(text.contains("\n/var/lib/stayput/mariadb\n"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 82),
            "{text}"
        );
        assert!(text.lines().count() < 25);
    }
}
