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
use super::volume::{FOLDER, read_file};
use super::{StickError, StickId};
use crate::filesystem::{MountError, Mounted};
use crate::keys::random_bytes;
use crate::sys::file_lock;
use crate::vault::{ServerId, WAYS_COPY_BYTES, WaysCopy};

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
/// [`StickError`] when it cannot be mounted.
pub fn write(device: &Path, file: &StickFile, ways: &WaysCopy) -> io::Result<()> {
    let mounted = mounted_for_writing(device)?;
    let top = File::open(mounted.path())?;
    write_in(&top, file, ways)?;
    top.sync_all()
}

fn mounted_for_writing(device: &Path) -> io::Result<Mounted> {
    let mounted = Mounted::for_writing(device, WRITE_WAITS);
    mounted.map_err(|error| match error {
        MountError::Failed(errno) => errno.into(),
        error => io::Error::new(io::ErrorKind::Unsupported, StickError::from(error)),
    })
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
    let mounted = mounted_for_writing(device)?;
    let top = File::open(mounted.path())?;
    wipe_in(&top, server_id, stick)
}

fn wipe_in(top: &File, server_id: &ServerId, stick: &StickId) -> Result<(), NotWiped> {
    let folder = match open_folder(top) {
        Ok(folder) => File::from(folder),
        Err(Errno::ENOENT) => return Err(NotWiped::AnotherStick),
        Err(errno) => return Err(errno.into()),
    };
    // Who writes a key file at this moment may leave it behind the wipe: then the stick is
    // not wiped, and whoever asked is told so.
    let locked = file_lock::lock(&folder, WIPE_WAITS);
    let names = file_names(server_id);
    // The other copy may be torn: it is of this stick as well.
    if !names.iter().any(|name| is_of(&folder, name, stick)) {
        return Err(NotWiped::AnotherStick);
    }
    let mut all = locked.map_err(io::Error::from);
    for name in names {
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
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::{Header, Ways};
    use tempfile::TempDir;

    /// A volume that is mounted, and a server.
    struct Volume {
        top: TempDir,
        key: MasterKey,
        own: Header,
    }

    impl Volume {
        fn new() -> Self {
            let key = MasterKey::generate();
            Self {
                top: TempDir::new().unwrap(),
                own: Header::of_a_new_server(&key),
                key,
            }
        }

        fn top(&self) -> File {
            File::open(self.top.path()).unwrap()
        }

        fn folder(&self) -> PathBuf {
            self.top.path().join(FOLDER)
        }

        fn copies(&self) -> [PathBuf; 2] {
            file_names(&self.own.server_id).map(|name| self.folder().join(name.as_str()))
        }

        fn file(&self, label: &str) -> StickFile {
            StickFile::for_test(&self.own, &self.key, label, b"4711")
        }

        fn ways(&self) -> WaysCopy {
            WaysCopy::of(&self.own, &Ways::default())
        }

        fn write(&self, file: &StickFile) -> io::Result<()> {
            write_in(&self.top(), file, &self.ways())
        }

        /// Puts the key of a stick on it; gives its id.
        fn holds(&self, label: &str) -> StickId {
            let file = self.file(label);
            self.write(&file).unwrap();
            file.info.stick_id
        }

        fn wipe(&self, stick: &StickId) -> Result<(), NotWiped> {
            wipe_in(&self.top(), &self.own.server_id, stick)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder()).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_renewed_stick_holds_the_new_key_twice_and_nothing_else() {
        let volume = Volume::new();
        volume.write(&volume.file("office")).unwrap();
        // A longer one was there.
        let longer = fs::OpenOptions::new()
            .append(true)
            .open(&volume.copies()[0]);
        longer.unwrap().write_all(b"more").unwrap();
        let renewed = volume.file("bank");
        volume.write(&renewed).unwrap();
        for copy in volume.copies() {
            assert_eq!(fs::read(copy).unwrap(), renewed.encode());
        }
        assert_eq!(volume.names().len(), 4, "{:?}", volume.names());
    }

    #[test]
    fn a_stick_pulled_twice_while_it_is_renewed_keeps_a_whole_copy() {
        let volume = Volume::new();
        let first = volume.file("office");
        volume.write(&first).unwrap();
        // Pulled out while the second copy was written; and that one takes no byte now.
        let [whole, torn] = volume.copies();
        fs::remove_file(&torn).unwrap();
        fs::create_dir(&torn).unwrap();
        assert!(volume.write(&volume.file("bank")).is_err());
        assert_eq!(fs::read(&whole).unwrap(), first.encode());
    }

    #[test]
    fn a_stick_that_is_being_written_does_not_count_as_wiped() {
        let volume = Volume::new();
        let stick = volume.holds("office");
        let writer = File::open(volume.folder()).unwrap();
        file_lock::lock(&writer, Duration::ZERO).unwrap();
        let wiped = volume.wipe(&stick);
        assert!(matches!(wiped, Err(NotWiped::Failed(_))), "{wiped:?}");
        assert!(volume.copies().iter().all(|copy| !copy.exists()));
    }

    #[test]
    fn a_stick_in_the_place_of_the_named_one_is_not_wiped() {
        let volume = Volume::new();
        let named = volume.holds("office");
        // Pulled out while a person was asked; another one of this server sits there.
        let other = volume.holds("bank");
        let before = volume.copies().map(|copy| fs::read(copy).unwrap());
        assert_eq!(volume.wipe(&named), Err(NotWiped::AnotherStick));
        assert_eq!(volume.copies().map(|copy| fs::read(copy).unwrap()), before);
        // One that was pulled out while it was renewed is known by either copy.
        let torn = &volume.copies()[0];
        fs::write(torn, b"torn").unwrap();
        assert_eq!(volume.wipe(&named), Err(NotWiped::AnotherStick));
        assert_eq!(fs::read(torn).unwrap(), b"torn");
        assert_eq!(volume.wipe(&other), Ok(()));
        assert!(volume.copies().iter().all(|copy| !copy.exists()));
    }

    #[test]
    fn an_empty_stick_does_not_count_as_wiped() {
        let volume = Volume::new();
        let named = volume.holds("office");
        let empty = Volume {
            top: TempDir::new().unwrap(),
            key: volume.key.clone(),
            own: volume.own.clone(),
        };
        assert_eq!(empty.wipe(&named), Err(NotWiped::AnotherStick));
        fs::create_dir(empty.folder()).unwrap();
        assert_eq!(empty.wipe(&named), Err(NotWiped::AnotherStick));
    }

    #[test]
    fn two_who_write_a_stick_at_once_do_not_mix() {
        let volume = Volume::new();
        let files = ["office", "bank"].map(|label| volume.file(label));
        for _ in 0..20 {
            std::thread::scope(|scope| {
                let written = files
                    .each_ref()
                    .map(|file| scope.spawn(|| volume.write(file)));
                assert!(written.map(|it| it.join().unwrap().is_ok()) == [true; 2]);
            });
            let [first, second] = volume.copies().map(|copy| fs::read(copy).unwrap());
            assert_eq!(first, second);
        }
    }

    #[test]
    fn a_link_on_the_stick_leads_to_no_file_of_the_server() {
        let server = TempDir::new().unwrap();
        let precious = server.path().join("shadow");
        fs::write(&precious, b"precious").unwrap();
        let volume = Volume::new();
        let file = volume.file("office");
        let stick = &file.info.stick_id;
        // In place of the folder.
        symlink(server.path(), volume.folder()).unwrap();
        assert!(volume.write(&file).is_err());
        assert!(volume.wipe(stick).is_err());
        assert_eq!(fs::read_dir(server.path()).unwrap().count(), 1);
        // In place of a copy.
        fs::remove_file(volume.folder()).unwrap();
        fs::create_dir(volume.folder()).unwrap();
        symlink(&precious, &volume.copies()[0]).unwrap();
        assert!(volume.write(&file).is_err());
        fs::write(&volume.copies()[1], file.encode()).unwrap();
        assert!(volume.wipe(stick).is_err());
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn wiping_takes_this_servers_keys_and_leaves_the_rest() {
        let volume = Volume::new();
        let other = Volume::new();
        let stick = volume.holds("office");
        let others = file_names(&other.own.server_id)[0].to_string();
        fs::write(volume.folder().join(&others), b"key").unwrap();
        // A second name of the same file shows what became of the content.
        let kept = volume.folder().join("kept");
        fs::hard_link(&volume.copies()[0], &kept).unwrap();
        let before = fs::read(&kept).unwrap();
        volume.wipe(&stick).unwrap();
        let mut expected = [others, "README.txt".into(), "kept".into()];
        expected.sort();
        assert_eq!(volume.names(), expected);
        let after = fs::read(kept).unwrap();
        assert!(after.len() == before.len() && after[..32] != before[..32]);
    }

    #[test]
    fn a_copy_that_cannot_be_wiped_saves_no_other() {
        let volume = Volume::new();
        let stick = volume.holds("office");
        let [first, second] = volume.copies();
        fs::remove_file(&first).unwrap();
        fs::create_dir(&first).unwrap();
        assert!(volume.wipe(&stick).is_err());
        assert!(!second.exists());
    }
}
