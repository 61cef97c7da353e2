//! Hearing the children that read and wipe sticks: nothing here blocks.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::vec;

use nix::errno::Errno;
use zeroize::Zeroizing;

use super::answer::{ANSWER_BYTES, decode};
use super::child::{Work, start, wiped_of};
use super::error::StickError;
use super::file::{StickFile, StickInfo};
use super::find::Stick;
use super::volume::copies_of;
use super::writing::NotWiped;
use crate::sys::child::Child;
use crate::vault::Header;

/// A stick that takes longer than this does not answer. One that is slow takes a
/// second or two.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Volumes of one stick that are looked at; they may have made up hundreds.
const MOST_VOLUMES: usize = 16;

/// Where this server's key file was found.
pub struct FoundKey {
    /// `/dev/...`.
    pub volume: PathBuf,
    /// The copy that is whole.
    pub file: Box<StickFile>,
}

/// A stick that is being read.
pub struct Reading {
    child: Child,
    header: Header,
    volumes: vec::IntoIter<PathBuf>,
    /// The answer that is coming, and how much of it has come.
    said: Zeroizing<Vec<u8>>,
    heard: usize,
    /// What is wrong with the most promising of the volumes before.
    wrong: StickError,
}

impl Reading {
    /// # Errors
    /// What [`Child::start`] says.
    pub fn begin(stick: &Stick, header: &Header) -> Result<Self, Errno> {
        let mut volumes = stick.volumes.clone();
        volumes.truncate(MOST_VOLUMES);
        let named = volumes.iter().map(PathBuf::as_path);
        Ok(Self {
            child: start(Work::Read, &header.server_id, named)?,
            header: header.clone(),
            volumes: volumes.into_iter(),
            said: Zeroizing::new(vec![0; ANSWER_BYTES]),
            heard: 0,
            wrong: StickError::Unreadable,
        })
    }

    /// Hears what has come. The key, if one of the volumes has it; what is wrong
    /// with the most promising one, if none has; `None` if that is not known yet.
    /// After a key it goes on with the volumes behind it, and ends with an error.
    pub fn go_on(&mut self) -> Option<Result<FoundKey, StickError>> {
        loop {
            match self.child.read(&mut self.said[self.heard..]) {
                Ok(None) => return None,
                Ok(Some(0)) | Err(_) => return Some(Err(self.wrong)),
                Ok(Some(more)) => self.heard += more,
            }
            if self.heard < ANSWER_BYTES {
                continue;
            }
            self.heard = 0;
            let Some(volume) = self.volumes.next() else {
                return Some(Err(self.wrong));
            };
            match decode(&self.said).and_then(|files| copies_of(&files, &self.header)) {
                Ok(copies) => {
                    let file = Box::new(copies.file);
                    return Some(Ok(FoundKey { volume, file }));
                }
                Err(error) => self.wrong = more_promising(self.wrong, error),
            }
        }
    }
}

impl AsFd for Reading {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }
}

/// Of what is wrong with two volumes of a stick, what its owner should hear.
fn more_promising(before: StickError, error: StickError) -> StickError {
    let promise = |error: StickError| match error {
        StickError::Unreadable => 0,
        StickError::Format(format) if format.title().is_none() => 1,
        StickError::Format(_) => 2,
        StickError::NoKey => 3,
        // The key may be there.
        StickError::NoDriver(_) | StickError::NotAllowed => 4,
        _ => 5,
    };
    match promise(error) > promise(before) || promise(error) == 5 {
        true => error,
        false => before,
    }
}

/// A volume whose key files are being destroyed.
pub struct Wiping {
    child: Child,
    said: [u8; 4],
    heard: usize,
}

impl Wiping {
    /// Begins to wipe a volume, if the stick is in it whose key was found there.
    ///
    /// # Errors
    /// What [`Child::start`] says.
    pub fn begin(volume: &Path, info: &StickInfo) -> Result<Self, Errno> {
        let work = Work::Wipe(info.stick_id);
        Ok(Self {
            child: start(work, &info.server_id, [volume].into_iter())?,
            said: [0; 4],
            heard: 0,
        })
    }

    /// Hears what has come: whether it is done, or `None` if that is not known
    /// yet.
    pub fn go_on(&mut self) -> Option<Result<(), NotWiped>> {
        while self.heard < self.said.len() {
            match self.child.read(&mut self.said[self.heard..]) {
                Ok(None) => return None,
                Ok(Some(0)) => return Some(Err(Errno::EIO.into())),
                Ok(Some(more)) => self.heard += more,
                Err(errno) => return Some(Err(errno.into())),
            }
        }
        Some(wiped_of(i32::from_le_bytes(self.said)))
    }
}

impl AsFd for Wiping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{DRIVERS, Filesystem, Format};

    #[test]
    fn of_a_sticks_volumes_the_most_promising_is_told_of() {
        let driver = StickError::NoDriver(DRIVERS[0]);
        let ntfs = StickError::Format(Format::Ntfs);
        let empty = StickError::Format(Format::Empty);
        let ranked = [
            StickError::Unreadable,
            empty,
            ntfs,
            StickError::NoKey,
            driver,
            StickError::Damaged,
        ];
        for (at, worse) in ranked.iter().enumerate() {
            for better in &ranked[at..] {
                assert_eq!(more_promising(*worse, *better), *better);
                assert_eq!(more_promising(*better, *worse), *better);
            }
        }
        let last = more_promising(StickError::Damaged, StickError::OtherServer);
        assert_eq!(last, StickError::OtherServer);
        assert_eq!(ntfs.to_string().lines().count(), 1);
        for filesystem in [Filesystem::Vfat, Filesystem::Exfat, Filesystem::Ext4] {
            assert!(ntfs.to_string().contains(filesystem.title()));
        }
    }
}
