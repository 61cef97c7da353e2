//! One volume of a stick: mounted for a moment, read, unmounted.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use zeroize::Zeroizing;

use super::StickError;
#[cfg(feature = "admin")]
use super::file::ways_name;
use super::file::{STICK_FILE_BYTES, StickFile, file_names};
use crate::filesystem::Mounted;
#[cfg(feature = "admin")]
use crate::vault::WAYS_COPY_BYTES;
use crate::vault::{Header, ServerId};

pub(super) const FOLDER: &str = "stayput";

/// What a volume has of this server's key.
#[derive(Debug)]
pub struct Copies {
    /// The copy that is whole.
    pub file: StickFile,
    /// Otherwise one of the two is damaged or missing, or they differ.
    pub both_whole: bool,
    /// Both are whole, and not the same: a stick that was pulled while it was renewed.
    pub differ: bool,
}

/// Reads this server's key file from a volume: the copy that is whole.
///
/// # Errors
/// [`StickError`]: what is wrong with it.
pub fn read(device: &Path, header: &Header) -> Result<StickFile, StickError> {
    read_copies(device, header).map(|copies| copies.file)
}

/// Reads both copies. Nothing on the volume is changed, and nothing on it is
/// followed: no links, pipes or devices.
///
/// # Errors
/// [`StickError`]: what is wrong with it.
pub fn read_copies(device: &Path, header: &Header) -> Result<Copies, StickError> {
    copies_of(&read_unchecked(device, &header.server_id)?, header)
}

/// The bytes of a key file as they are: of whatever length, and empty where it
/// cannot be read. Without a PIN they are as good as the key.
pub type UncheckedFile = Zeroizing<Vec<u8>>;

/// Reads the files under the names of this server's two copies, as
/// [`read_copies`] does; one of them is there at least. Nobody has looked into
/// them.
///
/// # Errors
/// [`StickError`]: what is wrong with the volume.
pub fn read_unchecked(
    device: &Path,
    server_id: &ServerId,
) -> Result<[Option<UncheckedFile>; 2], StickError> {
    let mounted = Mounted::for_reading(device)?;
    let path = mounted.path().join(FOLDER);
    let folder = open_folder(&path)?;
    let files = file_names(server_id).map(|name| read_file(&folder, &name));
    match files {
        [None, None] if has_other_keys(&path) => Err(StickError::OtherServer),
        [None, None] => Err(StickError::NoKey),
        files => Ok(files),
    }
}

/// Opens the folder of the key files. A link in its place is not followed.
///
/// # Errors
/// [`StickError::NoKey`] where there is none.
pub(super) fn open_folder(path: &Path) -> Result<OwnedFd, StickError> {
    let options = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open(path, options, Mode::empty()).map_err(|_| StickError::NoKey)
}

/// What these files are worth to this server.
///
/// # Errors
/// [`StickError`]: what is wrong with the last of them.
pub fn copies_of(
    files: &[Option<UncheckedFile>; 2],
    header: &Header,
) -> Result<Copies, StickError> {
    let files = files.iter().flatten();
    let copies = files.map(|bytes| StickFile::parse(bytes, header));
    choose(copies.collect()).unwrap_or(Err(StickError::NoKey))
}

/// The copy that is whole; else what is wrong with the last one. `None` when
/// there is no copy.
fn choose(copies: Vec<Result<StickFile, StickError>>) -> Option<Result<Copies, StickError>> {
    let error = copies
        .iter()
        .rev()
        .find_map(|copy| copy.as_ref().err().copied());
    let mut whole = copies.into_iter().flatten();
    let Some(file) = whole.next() else {
        return error.map(Err);
    };
    let other = whole.next();
    Some(Ok(Copies {
        both_whole: other.as_ref() == Some(&file),
        differ: other.is_some_and(|other| other != file),
        file,
    }))
}

/// The copy of the ways in that is on a volume; `None` where there is none that can be
/// read. Nobody has looked into it.
#[cfg(feature = "admin")]
pub fn read_ways(device: &Path, server_id: &ServerId) -> Option<UncheckedFile> {
    let mounted = Mounted::for_reading(device).ok()?;
    let folder = open_folder(&mounted.path().join(FOLDER)).ok()?;
    read_at_most(&folder, &ways_name(server_id), WAYS_COPY_BYTES)
}

/// A regular file's bytes, at most one more than a key file has.
pub(super) fn read_file(folder: &impl AsFd, name: &str) -> Option<UncheckedFile> {
    read_at_most(folder, name, STICK_FILE_BYTES)
}

/// A regular file's bytes, one more than `most` of them at most.
pub(super) fn read_at_most(folder: &impl AsFd, name: &str, most: usize) -> Option<UncheckedFile> {
    // Without O_NONBLOCK a pipe of that name would hold the boot up for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = openat(folder.as_fd(), name, flags, Mode::empty()).ok()?;
    let kind = SFlag::from_bits_truncate(fstat(&fd).ok()?.st_mode & SFlag::S_IFMT.bits());
    if kind != SFlag::S_IFREG {
        return None;
    }
    // With room to see the end: one that has to grow would leave its bytes behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * most));
    let mut file = File::from(fd).take(most as u64 + 1);
    match file.read_to_end(&mut bytes) {
        Ok(_) => Some(bytes),
        // A file that cannot be read is a damaged one.
        Err(_) => Some(UncheckedFile::default()),
    }
}

fn has_other_keys(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.take(256).filter_map(Result::ok).any(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "key")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;

    #[test]
    fn one_whole_copy_is_enough() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let stick = || StickFile::for_test(&header, &key, "a", b"");
        let (whole, other) = (stick(), stick());
        let differing = choose(vec![Ok(whole.clone()), Ok(other.clone())]);
        assert!(differing.unwrap().unwrap().differ);
        let damaged_one = choose(vec![Ok(whole.clone()), Err(StickError::Damaged)]);
        assert!(!damaged_one.unwrap().unwrap().differ);
        let damaged = || Err(StickError::Damaged);
        let chosen = |copies| {
            choose(copies).map(|chosen| chosen.map(|copies| (copies.file, copies.both_whole)))
        };
        let same = |both_whole| Some(Ok((whole.clone(), both_whole)));
        assert_eq!(
            chosen(vec![Ok(whole.clone()), Ok(whole.clone())]),
            same(true)
        );
        assert_eq!(chosen(vec![Ok(whole.clone()), Ok(other)]), same(false));
        assert_eq!(chosen(vec![damaged(), Ok(whole.clone())]), same(false));
        assert_eq!(chosen(vec![Ok(whole.clone()), damaged()]), same(false));
        assert_eq!(chosen(vec![Ok(whole.clone())]), same(false));
        assert_eq!(
            chosen(vec![damaged(), damaged()]),
            Some(Err(StickError::Damaged))
        );
        assert_eq!(chosen(vec![]), None);
    }
}
