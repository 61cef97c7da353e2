//! One volume of a stick: mounted for a moment, read or written, unmounted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use zeroize::Zeroizing;

use super::StickError;
use super::file::{STICK_FILE_BYTES, StickFile, file_names};
use crate::filesystem::{MountError, Mounted};
use crate::keys::random_bytes;
use crate::sys::file_lock;
use crate::vault::{Header, ServerId};

pub(super) const FOLDER: &str = "stayput";
/// How long writing waits for who looks at the stick, or writes to it. Less than
/// [`super::ANSWERS_WITHIN`].
const WRITE_WAITS: Duration = Duration::from_secs(2);
const README: &str = include_str!("readme.txt");

/// What a volume has of this server's key.
#[derive(Debug)]
pub struct Copies {
    /// The copy that is whole.
    pub file: StickFile,
    /// Otherwise one of the two is damaged or missing.
    pub both_whole: bool,
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
    // A stick that was pulled while it was renewed holds two kinds.
    let both_whole = whole.next().is_some_and(|other| other == file);
    Some(Ok(Copies { file, both_whole }))
}

/// A regular file's bytes, at most one more than a key file has.
pub(super) fn read_file(folder: &OwnedFd, name: &str) -> Option<UncheckedFile> {
    // Without O_NONBLOCK a pipe of that name would hold the boot up for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = openat(folder.as_fd(), name, flags, Mode::empty()).ok()?;
    let kind = SFlag::from_bits_truncate(fstat(&fd).ok()?.st_mode & SFlag::S_IFMT.bits());
    if kind != SFlag::S_IFREG {
        return None;
    }
    // With room to see the end: one that has to grow would leave its bytes behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * STICK_FILE_BYTES));
    let mut file = File::from(fd).take(STICK_FILE_BYTES as u64 + 1);
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

/// Writes both copies and the README, each under a temporary name first;
/// returns when the stick has them.
///
/// # Errors
/// What the filesystem says; a [`StickError`] when it cannot be mounted.
pub fn write(device: &Path, file: &StickFile) -> io::Result<()> {
    let mounted = mounted_for_writing(device)?;
    let folder = mounted.path().join(FOLDER);
    fs::create_dir_all(&folder)?;
    let opened = File::open(&folder)?;
    // Two who write it would rename each other's temporary file.
    file_lock::lock(&opened, WRITE_WAITS)?;
    let bytes = file.encode();
    for name in file_names(&file.info.server_id) {
        write_file(&folder, &name, &bytes)?;
    }
    write_file(&folder, "README.txt", README.as_bytes())?;
    opened.sync_all()?;
    File::open(mounted.path())?.sync_all()
}

fn mounted_for_writing(device: &Path) -> io::Result<Mounted> {
    let mounted = Mounted::for_writing(device, WRITE_WAITS);
    mounted.map_err(|error| match error {
        MountError::Failed(errno) => errno.into(),
        error => io::Error::new(io::ErrorKind::Unsupported, StickError::from(error)),
    })
}

fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join("new.tmp");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))
}

/// Destroys this server's key files on a volume: overwritten with random
/// bytes, then removed; returns when the stick has done so. What a flash
/// memory keeps elsewhere stays as safe as the PIN.
///
/// # Errors
/// What the filesystem says; a [`StickError`] when it cannot be mounted.
pub fn wipe(device: &Path, server_id: &ServerId) -> io::Result<()> {
    let mounted = mounted_for_writing(device)?;
    let folder = mounted.path().join(FOLDER);
    wipe_in(&folder, server_id)?;
    File::open(&folder)?.sync_all()
}

fn wipe_in(folder: &Path, server_id: &ServerId) -> io::Result<()> {
    for name in file_names(server_id) {
        let path = folder.join(name.as_str());
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if file.metadata()?.is_file() {
            file.write_all(&random_bytes::<STICK_FILE_BYTES>())?;
            file.sync_all()?;
        }
        fs::remove_file(&path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::keys::MasterKey;
    use crate::sys::loop_device::Loop;

    #[test]
    fn two_who_write_a_stick_at_once_both_do() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(8 << 20).unwrap();
        let made = Command::new("mkfs.ext4")
            .arg("-q")
            .arg(image.path())
            .status();
        assert!(made.unwrap().success());
        let Some(device) = Loop::of(image.path()) else {
            return;
        };
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let label = "a".try_into().unwrap();
        let stick = StickFile::make(&header, &key, label, 0, b"");
        for _ in 0..20 {
            let written = std::thread::scope(|scope| {
                [(); 2]
                    .map(|()| scope.spawn(|| write(&device.0, &stick)))
                    .map(|written| written.join().unwrap())
            });
            assert!(written.iter().all(Result::is_ok), "{written:?}");
        }
        assert!(read_copies(&device.0, &header).unwrap().both_whole);
    }

    #[test]
    fn one_whole_copy_is_enough() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let stick = || StickFile::make(&header, &key, "a".try_into().unwrap(), 0, b"");
        let (whole, other) = (stick(), stick());
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

    #[test]
    fn wiping_takes_this_servers_keys_and_leaves_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::generate();
        let (own, other) = (Header::of_a_new_server(&key), Header::of_a_new_server(&key));
        let write = |name: &str| fs::write(folder.path().join(name), b"key").unwrap();
        for name in file_names(&own.server_id) {
            write(&name);
        }
        write(&file_names(&other.server_id)[0]);
        write("backup.sql");
        // A second name of the same file shows what became of the content.
        let first = folder.path().join(file_names(&own.server_id)[0].as_str());
        let kept = folder.path().join("kept");
        fs::hard_link(first, &kept).unwrap();
        wipe_in(folder.path(), &own.server_id).unwrap();
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = vec![
            file_names(&other.server_id)[0].to_string(),
            "backup.sql".into(),
            "kept".into(),
        ];
        expected.sort();
        assert_eq!(left, expected);
        let content = fs::read(kept).unwrap();
        assert!(content.len() == STICK_FILE_BYTES && !content.starts_with(b"key"));
        // Nothing there is nothing to do.
        wipe_in(folder.path(), &own.server_id).unwrap();
    }
}
