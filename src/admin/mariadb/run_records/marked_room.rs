//! Everything that a run makes carries the run's id, and nothing without it is ever
//! deleted. That something exists, or does not, allows nothing.
//!
//! A marked room is a directory with two entries: `mark`, which holds the id,
//! and `data`. A data directory enters or leaves a room by a rename, so the
//! permission to delete it comes and goes in one step that a power cut cannot
//! divide.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::admin::durable::{sync_directory, write_durably};
use crate::keys::random_bytes;

/// Names one run of `enable`: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId([u8; 16]);

impl RunId {
    /// A new random id.
    pub fn new() -> Self {
        Self(random_bytes())
    }

    /// 32 hexadecimal digits, as [`fmt::Display`] writes them.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16)
            .ok()
            .map(|id| Self(id.to_be_bytes()))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

const MARK: &str = "mark";
const DATA: &str = "data";

/// A room with the mark of one run. Only through this type is anything deleted.
#[derive(Debug)]
pub struct MarkedRoom {
    room: PathBuf,
}

impl MarkedRoom {
    /// Makes the room, closed to everybody but root, with the run's mark.
    ///
    /// # Errors
    /// What the filesystem says; also when something is there already.
    pub fn make(room: &Path, run: RunId) -> io::Result<Self> {
        let unfinished = unfinished(room);
        clear_unfinished(&unfinished)?;
        DirBuilder::new().mode(0o700).create(&unfinished)?;
        write_durably(&unfinished.join(MARK), format!("{run}\n").as_bytes())?;
        if room.exists() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs::rename(&unfinished, room)?;
        sync_directory(room)?;
        Ok(Self { room: room.into() })
    }

    /// The room with this run's mark; `None` where there is no such room.
    ///
    /// # Errors
    /// What the filesystem says; also when the room is there without this
    /// run's mark.
    pub fn find(room: &Path, run: RunId) -> io::Result<Option<Self>> {
        clear_unfinished(&unfinished(room))?;
        // Finishes an interrupted deletion: remove_dir removes empty directories
        // only.
        if fs::remove_dir(room).is_ok() {
            sync_directory(room)?;
        }
        Ok(Self::is_there(room, run)?.then(|| Self { room: room.into() }))
    }

    /// Whether there is a room with this run's mark. Changes nothing.
    ///
    /// # Errors
    /// As [`MarkedRoom::find`].
    pub fn is_there(room: &Path, run: RunId) -> io::Result<bool> {
        match fs::symlink_metadata(room) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
            Ok(at) if !at.is_dir() => return Err(not_marked(room)),
            Ok(_) => {}
        }
        match fs::read_to_string(room.join(MARK)) {
            Ok(text) if RunId::parse(text.trim_end()) == Some(run) => Ok(true),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Err(not_marked(room)),
        }
    }

    /// The run whose mark a room carries, if any.
    pub fn owner(room: &Path) -> Option<RunId> {
        RunId::parse(fs::read_to_string(room.join(MARK)).ok()?.trim_end())
    }

    /// Where the data directory lies in the room, if there is one.
    pub fn data(&self) -> PathBuf {
        self.room.join(DATA)
    }

    /// A file of the run beside the data.
    pub fn file(&self, name: &str) -> PathBuf {
        self.room.join(name)
    }

    /// Moves a directory into the room.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn take_in(&self, from: &Path) -> io::Result<()> {
        fs::rename(from, self.data())?;
        sync_directory(&self.data())?;
        sync_directory(from)
    }

    /// Moves the data directory out of the room, where nothing may be yet: it
    /// is never deleted from there on.
    ///
    /// # Errors
    /// What the filesystem says; also when `to` holds something.
    pub fn hand_out(&self, to: &Path) -> io::Result<()> {
        fs::rename(self.data(), to)?;
        sync_directory(to)?;
        sync_directory(&self.data())
    }

    /// Deletes the room and all that is in it, the mark last: what an
    /// interruption leaves can be deleted as well.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn delete(self) -> io::Result<()> {
        for entry in fs::read_dir(&self.room)? {
            let entry = entry?;
            if entry.file_name() == MARK {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_file(self.room.join(MARK))?;
        fs::remove_dir(&self.room)?;
        sync_directory(&self.room)
    }
}

/// The name of a room until its mark is on the disk.
fn unfinished(room: &Path) -> PathBuf {
    room.with_extension("unmarked")
}

/// Removes what an interruption left of a room in the making: a mark at most.
fn clear_unfinished(unfinished: &Path) -> io::Result<()> {
    for name in [MARK, "mark.new"] {
        match fs::remove_file(unfinished.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // remove_dir takes an empty directory only.
    match fs::remove_dir(unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn not_marked(room: &Path) -> io::Error {
    io::Error::other(format!(
        "{} was not made by this run; it is left alone",
        room.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_nothing_else_is_one() {
        let id = RunId::new();
        assert_eq!(RunId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "+1",
            "0123456789abcdef0123456789abcdeg",
            &"0".repeat(33),
        ] {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
        assert!(RunId::parse("+123456789abcdef0123456789abcdef").is_none());
    }

    #[test]
    fn a_room_without_this_runs_mark_is_never_deleted() {
        let home = tempfile::tempdir().unwrap();
        let room = home.path().join("mariadb.making");
        let run = RunId::new();
        assert!(MarkedRoom::find(&room, run).unwrap().is_none());
        // Somebody else's directory of that name.
        fs::create_dir_all(room.join("data/mysql")).unwrap();
        assert!(MarkedRoom::find(&room, run).is_err());
        assert!(MarkedRoom::make(&room, run).is_err());
        fs::write(room.join("mark"), format!("{}\n", RunId::new())).unwrap();
        assert!(MarkedRoom::find(&room, run).is_err());
        assert!(room.join("data/mysql").exists());
        fs::write(room.join("mark"), format!("{run}\n")).unwrap();
        MarkedRoom::find(&room, run)
            .unwrap()
            .unwrap()
            .delete()
            .unwrap();
        assert!(!room.exists());
    }

    #[test]
    fn what_a_deletion_leaves_before_its_last_line_is_no_room() {
        let home = tempfile::tempdir().unwrap();
        let room = home.path().join("mariadb.making");
        fs::create_dir(&room).unwrap();
        assert!(MarkedRoom::find(&room, RunId::new()).unwrap().is_none());
        assert!(!room.exists());
    }

    #[test]
    fn what_is_moved_out_of_a_room_is_beyond_its_deletion() {
        let home = tempfile::tempdir().unwrap();
        let room = home.path().join("mariadb.making");
        let real = home.path().join("mariadb");
        let made = MarkedRoom::make(&room, RunId::new()).unwrap();
        fs::create_dir(made.data()).unwrap();
        fs::write(made.data().join("ibdata1"), "rows").unwrap();
        made.hand_out(&real).unwrap();
        made.delete().unwrap();
        assert_eq!(fs::read(real.join("ibdata1")).unwrap(), b"rows");
    }

    #[test]
    fn a_database_that_is_in_the_place_stops_the_move() {
        let home = tempfile::tempdir().unwrap();
        let made = MarkedRoom::make(&home.path().join("mariadb.making"), RunId::new()).unwrap();
        fs::create_dir(made.data()).unwrap();
        let real = home.path().join("mariadb");
        fs::create_dir_all(real.join("mysql")).unwrap();
        assert!(made.hand_out(&real).is_err());
        assert!(real.join("mysql").exists() && made.data().exists());
    }

    #[test]
    fn a_room_whose_making_was_interrupted_is_made_again() {
        let home = tempfile::tempdir().unwrap();
        let room = home.path().join("mariadb.making");
        for left in ["mark", "mark.new", "nothing"] {
            fs::create_dir(unfinished(&room)).unwrap();
            if left != "nothing" {
                fs::write(unfinished(&room).join(left), "").unwrap();
            }
            MarkedRoom::make(&room, RunId::new())
                .unwrap()
                .delete()
                .unwrap();
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{left}");
        }
        fs::create_dir_all(unfinished(&room).join("data")).unwrap();
        assert!(MarkedRoom::make(&room, RunId::new()).is_err());
    }
}
