//! The key file of the owner's choice: where it may lie, and how it gets there and
//! away again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
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
            exists: exists(&path)? || exists(&unfinished(&path))?,
            in_memory: [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind),
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
        self.exists
            .then(|| "is there already (or a file .new beside it)".into())
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

/// The name under which the key file is written.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Writes the key file: whole or not at all, over no other file, and for MariaDB's
/// user alone.
///
/// # Errors
/// What the filesystem says; also when MariaDB's user cannot read it there.
pub fn write(path: &Path, keys: &KeyFile, user: &ServiceUser) -> Result<()> {
    let new = unfinished(path);
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&new)?;
        fchown(&file, Some(user.uid), Some(user.gid))?;
        file.write_all(keys.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, it replaces no file that has come meanwhile.
        fs::hard_link(&new, path)?;
        fs::remove_file(&new)?;
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

/// Overwrites and removes the key file, if it holds the keys that `check` knows, and
/// what a power cut left of writing it. Returns whether no file is left there.
///
/// # Errors
/// What the filesystem says.
pub fn erase(path: &Path, check: &CheckFile) -> io::Result<bool> {
    let new = unfinished(path);
    if new.symlink_metadata().is_ok() {
        overwrite(&new, &mut |_| ())?;
        remove_durably(&new)?;
    }
    let file = match File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
    {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    let text = Zeroizing::new(read_bounded(file, KeyFile::MAX).unwrap_or_default());
    let keys: Vec<_> = KeyFile::parse(&text).into_iter().flatten().collect();
    if keys.is_empty() || check.verify(&keys).is_err() {
        return Ok(false);
    }
    overwrite(path, &mut |_| ())?;
    remove_durably(path)
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
        let spoilt: [Spoil; 4] = [
            |place| place.exists = true,
            |place| place.in_memory = true,
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
        use crate::keys::{MasterKey, Secret32};
        use crate::release::mariadb::MariadbRelease;
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("keys");
        let release = MariadbRelease::new(0, 0);
        let key = |byte| MasterKey::from_secret(Secret32::new([byte; 32]));
        let check = release.check_file(&key(1), "/var/lib/mysql").unwrap();
        for foreign in [release.key_file(&key(2)).as_bytes(), b"", b"a note"] {
            fs::write(&path, foreign).unwrap();
            assert!(!erase(&path, &check).unwrap());
            assert!(path.exists());
        }
        fs::write(&path, release.key_file(&key(1)).as_bytes()).unwrap();
        fs::write(unfinished(&path), "1;0a").unwrap();
        assert!(erase(&path, &check).unwrap());
        assert!(!path.exists() && !unfinished(&path).exists());
        assert!(erase(&path, &check).unwrap());
    }
}
