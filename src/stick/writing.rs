//! Writes this server's key files to a volume, or destroys them there. Everything is
//! opened in the folder by its name, and no link is followed: the volume may come from
//! anybody, and this runs as root.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::file::{STICK_FILE_BYTES, StickFile, file_names, ways_name};
use super::volume::{FOLDER, read_at_most, read_file};
use super::{StickError, StickId};
use crate::filesystem::{MountError, Mounted};
use crate::keys::random_bytes;
use crate::sys::file_lock;
use crate::vault::{KeyOfCopy, ServerId, WAYS_COPY_BYTES, WaysCopy};

/// How long writing waits for who looks at the stick, or writes to it. Less than
/// [`super::ANSWERS_WITHIN`].
const WRITE_WAITS: Duration = Duration::from_secs(2);
/// How long destroying waits for who writes to it; then it goes on.
const WIPE_WAITS: Duration = Duration::from_millis(500);
const README: &str = include_str!("readme.txt");

/// Writes both copies, the copy of the ways in, and the README; returns when the stick
/// has them. One copy is on it before the other one is touched, and a whole one is the
/// last that is: so one of the two is whole at each moment, if one was.
///
/// # Errors
/// What the filesystem says; ELOOP or ENOTDIR where a link is in the way; a
/// [`StickError`] when it cannot be mounted. [`io::ErrorKind::AlreadyExists`] with
/// [`StickError::Later`] or [`StickError::OtherKey`] where what is on it has a master key
/// that would be lost: nothing was written then.
pub fn write(device: &Path, file: &StickFile, ways: &WaysCopy) -> io::Result<()> {
    let mounted = mounted_for_writing(device)?;
    let top = File::open(mounted.path())?;
    write_in(&top, file, ways)?;
    top.sync_all()
}

fn mounted_for_writing(device: &Path) -> io::Result<Mounted> {
    Mounted::for_writing(device, WRITE_WAITS).map_err(not_mounted)
}

fn not_mounted(error: MountError) -> io::Error {
    match error {
        MountError::Failed(errno) => errno.into(),
        error => io::Error::new(io::ErrorKind::Unsupported, StickError::from(error)),
    }
}

/// ELOOP or ENOTDIR where a link stands in its place.
fn open_folder(top: &File) -> Result<OwnedFd, Errno> {
    let options = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(top, FOLDER, options, Mode::empty())
}

fn write_in(top: &File, file: &StickFile, ways: &WaysCopy) -> io::Result<()> {
    match mkdirat(top, FOLDER, Mode::from_bits_truncate(0o755)) {
        Err(Errno::EEXIST) | Ok(()) => {}
        Err(errno) => return Err(errno.into()),
    }
    let folder = File::from(open_folder(top)?);
    // Two who write it would mix two files.
    file_lock::lock(&folder, WRITE_WAITS)?;
    must_not_lose_a_key(&folder, file, ways)?;
    let bytes = file.encode();
    let mut names = file_names(&file.info.server_id);
    let is_whole = |name: &str| {
        let there = read_file(&folder, name);
        there.is_some_and(|bytes| StickFile::parse_any(&bytes).is_ok())
    };
    if is_whole(&names[0]) && !is_whole(&names[1]) {
        names.swap(0, 1);
    }
    for name in names {
        write_file(&folder, &name, &bytes)?;
    }
    write_file(&folder, &ways_name(&file.info.server_id), &ways.encode())?;
    write_file(&folder, "README.txt", README.as_bytes())?;
    folder.sync_all()
}

/// Of an old copy of the vault is known that it has had later keys: what is on the stick
/// is then perhaps the only place that has them.
fn must_not_lose_a_key(folder: &File, file: &StickFile, ways: &WaysCopy) -> io::Result<()> {
    let server_id = &file.info.server_id;
    let names = file_names(server_id);
    let there = names.iter().filter_map(|name| read_file(folder, name));
    let mut there = there.filter_map(|bytes| StickFile::parse_any(&bytes).ok());
    let mut lost = None;
    if there.any(|there| there.generation > file.generation) {
        lost = Some(StickError::Later);
    }
    let copy = read_at_most(folder, &ways_name(server_id), WAYS_COPY_BYTES);
    let copy = copy.and_then(|bytes| WaysCopy::parse(&bytes, server_id).ok());
    match copy.map(|copy| copy.compared_with(ways)) {
        Some(KeyOfCopy::Later) => lost = Some(StickError::Later),
        Some(KeyOfCopy::Other) => lost = lost.or(Some(StickError::OtherKey)),
        Some(KeyOfCopy::Known) | None => {}
    }
    lost.map_or(Ok(()), |error| {
        Err(io::Error::new(io::ErrorKind::AlreadyExists, error))
    })
}

/// In place: what was there before is overwritten, and nothing is left under another
/// name when the stick is pulled out meanwhile.
fn write_file(folder: &File, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_regular(folder, name, OFlag::O_CREAT)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    folder.sync_all()
}

/// A file that is no link, pipe or device.
fn open_regular(folder: &File, name: &str, flags: OFlag) -> io::Result<File> {
    // Without O_NONBLOCK a pipe of that name would hold it up for ever.
    let flags = flags | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = File::from(openat(
        folder,
        name,
        flags,
        Mode::from_bits_truncate(0o644),
    )?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Errno::EINVAL.into()),
    }
}

/// Why a stick was not wiped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWiped {
    /// No whole key file on the volume is of the stick that was named: another one sits
    /// there by now, or the key has gone. Nothing was changed.
    AnotherStick,
    /// With this errno; some of it may be destroyed.
    Failed(Errno),
}

impl From<Errno> for NotWiped {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

impl From<io::Error> for NotWiped {
    fn from(error: io::Error) -> Self {
        Self::Failed(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }
}

/// Destroys this server's key files on a volume, if they are those of the stick with this
/// id: overwritten with random bytes, then removed; returns when the stick has done so.
/// What a flash memory keeps elsewhere stays as safe as the PIN.
///
/// # Errors
/// [`NotWiped::AnotherStick`]; what the filesystem says of the first one that could not be
/// destroyed, after all were tried, or when it cannot be mounted.
pub fn wipe(device: &Path, server_id: &ServerId, stick: &StickId) -> Result<(), NotWiped> {
    // Mounting a stick of somebody else's for writing changes it already.
    must_hold(device, server_id, stick)?;
    let mounted = mounted_for_writing(device)?;
    let top = File::open(mounted.path())?;
    wipe_in(&top, server_id, stick)
}

/// Looks at a volume, and changes nothing on it.
fn must_hold(device: &Path, server_id: &ServerId, stick: &StickId) -> Result<(), NotWiped> {
    let mounted = Mounted::for_reading(device).map_err(|error| match error {
        MountError::Format(_) => NotWiped::AnotherStick,
        error => not_mounted(error).into(),
    })?;
    let folder = folder_of_keys(&File::open(mounted.path())?)?;
    holds(&folder, server_id, stick)
}

fn folder_of_keys(top: &File) -> Result<File, NotWiped> {
    match open_folder(top) {
        Ok(folder) => Ok(File::from(folder)),
        Err(Errno::ENOENT) => Err(NotWiped::AnotherStick),
        Err(errno) => Err(errno.into()),
    }
}

/// One whole copy is enough: the other one may be torn, and is of this stick as well.
fn holds(folder: &File, server_id: &ServerId, stick: &StickId) -> Result<(), NotWiped> {
    let mut names = file_names(server_id).into_iter();
    match names.any(|name| is_of(folder, &name, stick)) {
        true => Ok(()),
        false => Err(NotWiped::AnotherStick),
    }
}

fn wipe_in(top: &File, server_id: &ServerId, stick: &StickId) -> Result<(), NotWiped> {
    let folder = folder_of_keys(top)?;
    // Who writes a key file at this moment may leave it behind the wipe: then the stick is
    // not wiped, and whoever asked is told so.
    let locked = file_lock::lock(&folder, WIPE_WAITS);
    holds(&folder, server_id, stick)?;
    let mut all = locked.map_err(io::Error::from);
    for name in file_names(server_id) {
        let wiped = wipe_file::<STICK_FILE_BYTES>(&folder, &name);
        all = all.and(wiped);
    }
    all = all.and(wipe_file::<WAYS_COPY_BYTES>(&folder, &ways_name(server_id)));
    Ok(all.and(folder.sync_all())?)
}

/// Whether a key file is whole and of the stick with this id.
fn is_of(folder: &File, name: &str, stick: &StickId) -> bool {
    let bytes = read_file(folder, name);
    let file = bytes.and_then(|bytes| StickFile::parse_any(&bytes).ok());
    file.is_some_and(|file| file.info.stick_id == *stick)
}

/// Of a file that has this many bytes.
fn wipe_file<const BYTES: usize>(folder: &File, name: &str) -> io::Result<()> {
    let overwritten = match open_regular(folder, name, OFlag::empty()) {
        Ok(mut file) => file
            .write_all(&random_bytes::<BYTES>())
            .and_then(|()| file.sync_all()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    };
    // One that takes no bytes may still be removed.
    unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)?;
    overwritten
}

#[cfg(test)]
mod tests;
