//! The key file of the owner's choice: where it may lie, and how it gets there and
//! away again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::unistd::linkat;
use zeroize::Zeroizing;

use crate::admin::durable::{remove_durably, sync_directory};
use crate::admin::mariadb::check_file::read_bounded;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::overwrite::overwrite;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::{Problem, Result};
use crate::release::mariadb::{CheckFile, KeyFile};

const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// What systemd hides from Debian's MariaDB (`ProtectHome=`).
const HIDDEN: [&str; 3] = ["/home", "/root", "/run/user"];

/// A directory in which, or below which, the key file would lie.
struct Directory {
    path: PathBuf,
    uid: u32,
    mode: u32,
}

/// What was seen of the place that the owner wants. The path has no links left in it.
struct Place {
    path: PathBuf,
    exists: bool,
    in_memory: bool,
    /// What the filesystem says to a file without a name.
    unnamed: io::Result<()>,
    above: Vec<Directory>,
}

impl Place {
    fn look(path: &Path) -> io::Result<Self> {
        let parent = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
        let path = parent.join(path.file_name().unwrap_or_default());
        let exists = |path: &Path| match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            at => at.map(|_| true),
        };
        let kind = statfs(&parent)?.filesystem_type();
        let above = parent.ancestors().map(|path| {
            let at = fs::metadata(path)?;
            Ok(Directory {
                path: path.to_owned(),
                uid: at.uid(),
                mode: at.mode(),
            })
        });
        Ok(Self {
            exists: exists(&path)?,
            in_memory: [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind),
            unnamed: unnamed_in(&parent).map(drop),
            above: above.collect::<io::Result<_>>()?,
            path,
        })
    }

    /// Why the key file may not lie there. Pure.
    fn fault(&self, data: &DataDirectory) -> Option<String> {
        let path = &self.path;
        let data_places = [Some(data.seen()), data.real().parent()];
        if data_places
            .into_iter()
            .flatten()
            .any(|at| path.starts_with(at))
        {
            return Some(
                "is where MariaDB's data lies, which is closed and moved as a whole".into(),
            );
        }
        if HIDDEN.iter().any(|at| path.starts_with(at)) {
            return Some("lies where systemd lets MariaDB see nothing".into());
        }
        if self.in_memory {
            return Some("lies in memory, and would be gone at the next start".into());
        }
        let others = self.above.iter();
        let mut others = others.filter(|at| at.uid != 0 || at.mode & 0o022 != 0);
        if let Some(directory) = others.next() {
            let shown = directory.path.display();
            return Some(format!(
                "can be replaced: others than root may write in {shown}"
            ));
        }
        if let Err(error) = &self.unnamed {
            return Some(format!(
                "cannot be written there as a whole or not at all ({error})"
            ));
        }
        self.exists.then(|| "is there already".into())
    }
}

/// Whether an option file takes this path as it is, and a person finds it again. Pure.
fn is_plain(path: &Path) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte);
    path.is_absolute()
        && path.file_name().is_some()
        && path
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .all(|byte| plain(*byte))
        && path.components().all(|part| part != Component::ParentDir)
        && !path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Checks the path that the owner wants, and returns it without links.
///
/// # Errors
/// Why the key file may not lie there; nothing was changed.
pub fn destination(wanted: &Path, data: &DataDirectory) -> Result<PathBuf> {
    let refuse = |what: String| {
        Problem::refused(
            format!("{what}. Nothing was changed."),
            "Name a file that is not there yet, in a directory of root's on a disk: \
             /etc/mysql/mariadb.keys.",
        )
    };
    if !is_plain(wanted) {
        return Err(refuse(format!(
            "{:?} is not an absolute path of letters, digits and /._-+@",
            wanted
        )));
    }
    let shown = wanted.display();
    let place = Place::look(wanted).map_err(|error| refuse(format!("{shown}: {error}")))?;
    match place.fault(data) {
        Some(why) => Err(refuse(format!("{shown} {why}"))),
        None if !is_plain(&place.path) => Err(refuse(format!("{shown} leads to another name"))),
        None => Ok(place.path),
    }
}

/// A new file without a name: a power cut leaves nothing of it, and it stands in place
/// of no other file.
fn unnamed_in(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .mode(0o400)
        .custom_flags(libc::O_TMPFILE)
        .open(directory)
}

/// Writes the key file: whole or not at all, over no other file, and for MariaDB's
/// user alone.
///
/// # Errors
/// What the filesystem says; also when MariaDB's user cannot read it there.
pub fn write(path: &Path, keys: &KeyFile, user: &ServiceUser) -> Result<()> {
    let written = || -> io::Result<()> {
        let mut file = unnamed_in(path.parent().unwrap_or(Path::new("/")))?;
        fchown(&file, Some(user.uid), Some(user.gid))?;
        file.write_all(keys.as_bytes())?;
        file.sync_all()?;
        // It replaces no file that has come meanwhile.
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, open.as_str(), AT_FDCWD, path, follow)?;
        sync_directory(path)
    };
    written().map_err(|error| Problem::of_file(path, &error))?;
    let at = fs::symlink_metadata(path).map_err(|error| Problem::of_file(path, &error))?;
    let is_closed = at.uid() == user.uid && at.mode() & 0o7777 == 0o400;
    if is_closed && user.may_read(path) {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "{} cannot be kept for the user mysql alone, or not be read by it. Nothing was changed.",
            path.display()
        ),
        "Name a file in a directory that mysql may enter, on ext4, XFS or btrfs: \
         /etc/mysql/mariadb.keys.",
    ))
}

/// What the file at this path holds; nothing where it is longer than a key file.
/// `None` where there is no file.
fn contents(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let text = match file.and_then(|file| read_bounded(file, KeyFile::MAX)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Vec::new(),
        text => text?,
    };
    Ok(Some(Zeroizing::new(text)))
}

fn are_keys_of(text: &[u8], check: &CheckFile) -> bool {
    let keys: Vec<_> = KeyFile::parse(text).into_iter().flatten().collect();
    !keys.is_empty() && check.verify(&keys).is_ok()
}

/// Whether the file at this path holds the keys that `check` knows.
pub fn holds_keys_of(path: &Path, check: &CheckFile) -> bool {
    let text = contents(path).ok().flatten();
    text.is_some_and(|text| are_keys_of(&text, check))
}

/// Overwrites and removes the key file, if it holds the keys that `check` knows, or was
/// overwritten by a run that was cut. Returns whether no file is left there.
///
/// # Errors
/// What the filesystem says.
pub fn erase(path: &Path, check: &CheckFile) -> io::Result<bool> {
    let Some(text) = contents(path)? else {
        return Ok(true);
    };
    let is_overwritten = !text.is_empty() && text.iter().all(|byte| *byte == 0);
    if !is_overwritten && !are_keys_of(&text, check) {
        return Ok(false);
    }
    overwrite(path, &mut |_| ())?;
    remove_durably(path)
}

/// What the owner has to know after [`erase`], unless the file is gone.
pub fn left_over(path: &Path, result: io::Result<bool>) -> Option<String> {
    let shown = path.display();
    match result {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{shown} does not hold this database's keys, and stays."
        )),
        Err(error) => Some(format!(
            "{shown}, which holds the keys of the database, could not be removed: {error}. \
             Remove it: shred -u {shown}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        let path = PathBuf::from(path);
        let above = path.ancestors().skip(1).map(|path| Directory {
            path: path.to_owned(),
            uid: 0,
            mode: 0o40_755,
        });
        Place {
            above: above.collect(),
            exists: false,
            in_memory: false,
            unnamed: Ok(()),
            path,
        }
    }

    fn fault(place: &Place) -> Option<String> {
        place.fault(&DataDirectory::seen_at(Path::new("/var/lib/mysql")))
    }

    #[test]
    fn key_file_lies_only_where_root_alone_puts_files() {
        assert_eq!(fault(&place("/etc/mysql/mariadb.keys")), None);
        for path in [
            "/var/lib/mysql/mariadb.keys",
            "/var/lib/stayput/mariadb/k",
            "/var/lib/stayput/k",
            "/root/k",
            "/home/otieno/k",
        ] {
            assert!(fault(&place(path)).is_some(), "{path}");
        }
        type Spoil = fn(&mut Place);
        let spoilt: [Spoil; 5] = [
            |place| place.exists = true,
            |place| place.in_memory = true,
            |place| place.unnamed = Err(ErrorKind::Unsupported.into()),
            |place| place.above[1].uid = 104,
            |place| place.above[0].mode |= 0o20,
        ];
        for spoil in spoilt {
            let mut place = place("/etc/mysql/mariadb.keys");
            spoil(&mut place);
            assert!(fault(&place).is_some());
        }
    }

    #[test]
    fn path_that_an_option_file_would_misread_is_refused() {
        assert!(is_plain(Path::new("/etc/mysql/maria-db_1.keys@home")));
        for path in [
            "mariadb.keys",
            "/etc/my sql/k",
            "/etc/mysql/k#1",
            "/etc/mysql/k;1",
            "/etc/mysql/\nk",
            "/etc/mysql/../k",
            "/etc/mysql/",
            "/",
        ] {
            assert!(!is_plain(Path::new(path)), "{path:?}");
        }
    }

    #[test]
    fn only_a_file_with_this_databases_keys_is_erased() {
        use crate::keys::Keyring;
        use crate::release::mariadb::MariadbRelease;
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("keys");
        let release = MariadbRelease::new(0, 0, 1);
        let key = Keyring::of_bytes;
        let check = release.check_file(&key(1), "/var/lib/mysql").unwrap();
        let long = vec![0; KeyFile::MAX + 1];
        for foreign in [release.key_file(&key(2)).as_bytes(), b"", b"a note", &long] {
            fs::write(&path, foreign).unwrap();
            assert!(!holds_keys_of(&path, &check));
            assert!(!erase(&path, &check).unwrap());
            assert!(path.exists());
        }
        let beside = room.path().join("keys.new");
        fs::write(&beside, "1;0a").unwrap();
        let keys = release.key_file(&key(1));
        // The second is what a run has left that was cut while it erased.
        for own in [keys.as_bytes(), &vec![0; keys.as_bytes().len()]] {
            fs::write(&path, own).unwrap();
            assert!(erase(&path, &check).unwrap());
            assert!(!path.exists() && beside.exists());
        }
        assert!(erase(&path, &check).unwrap());
        fs::write(&beside, keys.as_bytes()).unwrap();
        assert!(holds_keys_of(&beside, &check));
    }

    #[test]
    fn key_file_that_stays_is_named_with_what_to_do() {
        use crate::keys::Keyring;
        use crate::release::mariadb::MariadbRelease;
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("keys");
        let key = Keyring::of_bytes(1);
        let check = MariadbRelease::new(0, 0, 1).check_file(&key, "/var/lib/mysql");
        let check = check.unwrap();
        assert_eq!(left_over(&path, erase(&path, &check)), None);
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        let told = left_over(&path, erase(&path, &check)).unwrap();
        assert!(
            told.contains(&format!("shred -u {}", path.display())),
            "{told}"
        );
    }

    #[test]
    fn key_file_is_written_whole_and_over_no_other() {
        use crate::keys::Keyring;
        use crate::release::mariadb::MariadbRelease;
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("keys");
        let at = fs::metadata(room.path()).unwrap();
        let user = ServiceUser {
            uid: at.uid(),
            gid: at.gid(),
        };
        let keys = MariadbRelease::new(0, 0, 1).key_file(&Keyring::of_bytes(1));
        fs::write(&path, "a note").unwrap();
        assert!(write(&path, &keys, &user).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"a note");
    }
}
