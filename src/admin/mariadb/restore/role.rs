//! Which of the two databases of a restore a data directory holds: a file in it says so, with
//! the run. An inode does not: a directory that was made anew may have the same one, and the
//! database behind the gate may be replaced by somebody else's.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::admin::durable::sync_directory;
use crate::admin::mariadb::check_file::ROLE as FILE;
use crate::admin::mariadb::run_records::marked_room::RunId;

/// One of the two databases of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that was there.
    Before,
    /// The one of the backup.
    Restored,
}

/// Bytes of the longest mark.
const MAX: u64 = 64;

impl Role {
    /// The word in the journal and in the mark.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Restored => "restored",
        }
    }

    /// The role of this word.
    pub fn parse(word: &str) -> Option<Self> {
        let both = [Self::Before, Self::Restored];
        both.into_iter().find(|role| role.word() == word)
    }

    /// The other one of the two.
    pub fn other(self) -> Self {
        match self {
            Self::Before => Self::Restored,
            Self::Restored => Self::Before,
        }
    }

    /// Marks a data directory as this one of the run's two. Not on the disk before its
    /// filesystem is synced.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn mark(self, data: &Path, run: RunId) -> io::Result<()> {
        let new = data.join(format!("{FILE}.new"));
        // MariaDB's user may have put a link there.
        absent(fs::remove_file(&new))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(format!("{run} {}\n", self.word()).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, data.join(FILE))?;
        sync_directory(&new)
    }

    /// What a data directory is in this run; `None` where it is neither of the two, or is not
    /// there.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn of(data: &Path, run: RunId) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(data.join(FILE));
        let file = match file {
            Err(error) if is_none(&error) => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let (of, word) = text.trim_end().split_once(' ').unwrap_or_default();
        Ok((RunId::parse(of) == Some(run))
            .then(|| Self::parse(word))
            .flatten())
    }

    /// Takes the mark away, whatever it says.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn unmark(data: &Path) -> io::Result<()> {
        absent(fs::remove_file(data.join(FILE)))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "the database of before the restore",
            Self::Restored => "the restored database",
        })
    }
}

/// Nothing is there, or a link, which is no mark of ours.
fn is_none(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ELOOP)
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn directory_that_was_made_anew_is_neither_of_the_two() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("mariadb");
        let run = RunId::new();
        assert_eq!(Role::of(&data, run).unwrap(), None);
        fs::create_dir(&data).unwrap();
        for role in [Role::Before, Role::Restored] {
            role.mark(&data, run).unwrap();
            assert_eq!(Role::of(&data, run).unwrap(), Some(role));
            assert_eq!(Role::parse(role.word()), Some(role));
        }
        assert_eq!(Role::of(&data, RunId::new()).unwrap(), None, "another run");
        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
        assert_eq!(Role::of(&data, run).unwrap(), None);
    }

    #[test]
    fn link_that_mariadb_put_there_is_neither_read_nor_written() {
        let home = tempfile::tempdir().unwrap();
        let (data, other) = (home.path().join("mariadb"), home.path().join("passwd"));
        let run = RunId::new();
        fs::create_dir(&data).unwrap();
        fs::write(&other, format!("{run} before\n")).unwrap();
        for name in [FILE.to_owned(), format!("{FILE}.new")] {
            symlink(&other, data.join(name)).unwrap();
        }
        assert_eq!(Role::of(&data, run).unwrap(), None);
        Role::Restored.mark(&data, run).unwrap();
        assert_eq!(Role::of(&data, run).unwrap(), Some(Role::Restored));
        let kept = fs::read_to_string(&other).unwrap();
        assert_eq!(kept, format!("{run} before\n"));
    }
}
