//! Moves somebody's files out of the data directory, and copies the server's into
//! the new one. Both can be repeated after a power cut.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::fsync;

use crate::admin::durable::{sync_directory, write_durably};
use crate::admin::mariadb::conversion::{Conversion, Form};
use crate::sys::beneath::{self, open_directory, open_root};

use super::CARRIED_MAX;

/// Says what the directory is; by it a run knows the place as stayput's.
const NOTE: &str = "README-stayput.txt";

/// A place beside the data directory: /var/lib/mysql.kept-2026-11-26. `day` is
/// the date as year, month and day.
pub fn kept_place(seen: &Path, day: &str) -> PathBuf {
    let mut name = seen.file_name().unwrap_or(OsStr::new("mysql")).to_owned();
    name.push(format!(".kept-{day}"));
    seen.with_file_name(name)
}

/// Renames each of the list (paths relative to `from`) to the same path below
/// `to`, which only root may enter. `conversion` is the run that moves them. What was moved by an earlier run counts as
/// done. Everything is on the disk when it returns.
///
/// # Errors
/// AlreadyExists when `to` is not a place that this function made, or holds
/// something else under a name of the list; nothing is ever replaced. EXDEV
/// when `to` lies on another filesystem. What the filesystem says.
pub fn move_kept<'a>(
    from: &Path,
    to: &Path,
    list: impl Iterator<Item = &'a Path>,
    conversion: Conversion,
) -> io::Result<()> {
    make_place(from, to, conversion)?;
    let (from, to) = (open_root(from)?, open_root(to)?);
    for path in list {
        move_one(&from, &to, path)?;
    }
    fsync(&to)?;
    Ok(fsync(&from)?)
}

fn make_place(from: &Path, to: &Path, conversion: Conversion) -> io::Result<()> {
    let made = fs::DirBuilder::new().mode(0o700).create(to);
    if let Err(error) = made {
        let at = fs::symlink_metadata(to)?;
        let ours = at.is_dir() && to.join(NOTE).is_file();
        let empty = at.is_dir() && fs::read_dir(to)?.next().is_none();
        if error.kind() != io::ErrorKind::AlreadyExists || !(ours || empty) {
            return Err(error);
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    let command = conversion.command();
    let readable = match conversion.from() {
        Form::Clear => "They are not encrypted, and may hold rows of the database.",
        Form::Encrypted => {
            "What MariaDB itself has encrypted in them can be read with its keys only; the\n\
             rest is not encrypted. They may hold rows of the database."
        }
    };
    let text = format!(
        "These files lay in {}, MariaDB's data directory, when\n\
         `{command}` made another one. MariaDB does not make them again, so\n\
         they were moved here as they were, each under the path that it had there.\n\
         \n\
         {readable}\n\
         Take what is needed to a safe place, and destroy the rest: shred -u FILE\n",
        from.display()
    );
    write_durably(&to.join(NOTE), text.as_bytes())?;
    sync_directory(to)
}

fn move_one(from: &OwnedFd, to: &OwnedFd, path: &Path) -> io::Result<()> {
    let mut parts = path.components();
    let name = match parts.next_back() {
        Some(Component::Normal(name)) => name,
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let (mut source, mut target) = (from.try_clone()?, to.try_clone()?);
    for part in parts {
        let Component::Normal(part) = part else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        match mkdirat(&target, part, Mode::S_IRWXU) {
            Err(Errno::EEXIST) => {}
            made => made?,
        }
        fsync(&target)?;
        target = open_directory(&target, part)?;
        source = match open_directory(&source, part) {
            // All of it was moved, and the directory destroyed.
            Err(Errno::ENOENT) => return there(&target, name),
            opened => opened?,
        };
    }
    match fstatat(&source, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return there(&target, name),
        at => at?,
    };
    // Only root gets into `to`: nobody puts something there in between.
    if there(&target, name).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    renameat(&source, name, &target, name)?;
    fsync(&target)?;
    Ok(fsync(&source)?)
}

fn there(directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Copies files at the top of `from` into `to`, with owner and mode; what is
/// there under the same name is replaced whole. Everything is on the disk
/// when it returns.
///
/// # Errors
/// InvalidInput for what is no plain file with one name, or larger than
/// certificates are. What the filesystem says.
pub fn carry_over<'a>(
    from: &Path,
    to: &Path,
    list: impl Iterator<Item = &'a Path>,
) -> io::Result<()> {
    let source = open_root(from)?;
    for path in list {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        if path.parent() != Some(Path::new("")) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        let file = File::from(beneath::open(&source, name, flags)?);
        let at = file.metadata()?;
        if !at.is_file() || at.nlink() != 1 || at.len() > CARRIED_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        file.take(CARRIED_MAX).read_to_end(&mut bytes)?;
        write_like(&to.join(name), &bytes, &at)?;
    }
    File::open(to)?.sync_all()
}

/// A key is never readable for more people than it was, not even for a moment.
fn write_like(path: &Path, bytes: &[u8], like: &fs::Metadata) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".stayput-new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    fchown(&file, Some(like.uid()), Some(like.gid()))?;
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o777))?;
    file.sync_all()?;
    fs::rename(&new, path)
}
