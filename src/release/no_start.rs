//! The mark in memory that holds back every start of MariaDB: its units assert, before
//! anything else of a start, that there is none (systemd/mariadb-stayput.conf). It comes
//! before keys leave memory. A start in between would read the keys that are just going,
//! and a MariaDB without its keys loses rows. A release that a person wants takes it away;
//! no other release is made while it is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::tmpfs::ReleaseError;
use crate::sys::file_lock;

/// A release needs some milliseconds; one that takes the keys away may have to stop a
/// start of MariaDB first.
const TURN_WAITS: Duration = Duration::from_secs(10);

/// Held by the process that puts keys into memory, or takes them out. Dropping it lets
/// the next one.
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits for another process that has it.
    ///
    /// # Errors
    /// EWOULDBLOCK when that one still has it after `wait`; else what the filesystem says.
    pub fn take(wait: Duration) -> io::Result<Self> {
        Hold::here().take_turn(wait)
    }
}

/// Why keys were not released by something that no person has decided at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReleased {
    /// They were taken out of memory, and only a person brings them back.
    Held,
    /// The system has refused it.
    Failed(ReleaseError),
}

impl From<ReleaseError> for NotReleased {
    fn from(error: ReleaseError) -> Self {
        Self::Failed(error)
    }
}

/// The mark, and the lock of whoever puts it there or goes by it.
struct Hold {
    mark: PathBuf,
    lock: PathBuf,
}

impl Hold {
    fn here() -> Self {
        Self {
            mark: "/run/stayput-no-start".into(),
            lock: "/run/stayput-release.lock".into(),
        }
    }

    fn take_turn(&self, wait: Duration) -> io::Result<Turn> {
        // Whoever may open it could keep everybody else waiting.
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.lock)?;
        file_lock::lock(&file, wait)?;
        Ok(Turn { _lock: file })
    }

    fn is_forbidden(&self) -> bool {
        self.mark.exists()
    }

    fn allow(&self, _turn: &Turn) {
        match fs::remove_file(&self.mark) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let mark = self.mark.display();
                log::warn!("{mark} stays, and MariaDB does not start: {error}");
            }
            _ => {}
        }
    }

    fn release(&self, put: impl FnOnce() -> Result<(), ReleaseError>) -> Result<(), ReleaseError> {
        let turn = self.turn_to_release()?;
        put()?;
        self.allow(&turn);
        drop(turn);
        Ok(())
    }

    fn release_unless_held(
        &self,
        put: impl FnOnce() -> Result<(), ReleaseError>,
    ) -> Result<(), NotReleased> {
        let turn = self.turn_to_release()?;
        if self.is_forbidden() {
            return Err(NotReleased::Held);
        }
        put()?;
        drop(turn);
        Ok(())
    }

    fn turn_to_release(&self) -> Result<Turn, ReleaseError> {
        self.take_turn(TURN_WAITS).map_err(|error| ReleaseError {
            step: "wait for another command",
            errno: error.raw_os_error().unwrap_or(0),
        })
    }
}

/// Puts keys into memory, and ends what holds the starts.
pub(super) fn release(put: impl FnOnce() -> Result<(), ReleaseError>) -> Result<(), ReleaseError> {
    Hold::here().release(put)
}

/// Puts keys into memory where nothing holds the starts.
pub(super) fn release_unless_held(
    put: impl FnOnce() -> Result<(), ReleaseError>,
) -> Result<(), NotReleased> {
    Hold::here().release_unless_held(put)
}

/// No start of MariaDB begins from now on. One that is under way goes on.
///
/// # Errors
/// What the filesystem says.
pub fn forbid() -> io::Result<()> {
    File::create(Hold::here().mark).map(drop)
}

/// Whether no start of MariaDB begins.
pub fn is_forbidden() -> bool {
    Hold::here().is_forbidden()
}

/// MariaDB may be started again. Whoever is removing keys behind the mark has the turn.
pub fn allow(turn: &Turn) {
    Hold::here().allow(turn);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread;

    fn hold(room: &Path) -> Hold {
        Hold {
            mark: room.join("mark"),
            lock: room.join("lock"),
        }
    }

    #[test]
    fn only_a_person_releases_during_an_alarm() {
        let room = tempfile::tempdir().unwrap();
        let hold = hold(room.path());
        assert_eq!(hold.release_unless_held(|| Ok(())), Ok(()));
        File::create(&hold.mark).unwrap();
        let put = || panic!("the keys are put back");
        assert_eq!(hold.release_unless_held(put), Err(NotReleased::Held));
        assert!(hold.is_forbidden());
        assert_eq!(hold.release(|| Ok(())), Ok(()));
        assert!(!hold.is_forbidden());
    }

    #[test]
    fn a_release_that_fails_leaves_the_starts_held() {
        let room = tempfile::tempdir().unwrap();
        let hold = hold(room.path());
        File::create(&hold.mark).unwrap();
        let step = "mount";
        let error = ReleaseError { step, errno: 12 };
        assert_eq!(hold.release(|| Err(error)), Err(error));
        assert!(hold.is_forbidden());
    }

    #[test]
    fn a_release_that_waits_for_an_alarm_sees_its_mark() {
        let room = tempfile::tempdir().unwrap();
        let alarm = hold(room.path());
        let turn = alarm.take_turn(Duration::ZERO).unwrap();
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let command = hold(room.path());
            scope.spawn(move || {
                let put = || panic!("the keys are put back");
                tell.send(command.release_unless_held(put))
            });
            let still = Duration::from_millis(100);
            assert!(told.recv_timeout(still).is_err(), "it does not wait");
            File::create(&alarm.mark).unwrap();
            drop(turn);
            assert_eq!(told.recv().unwrap(), Err(NotReleased::Held));
        });
    }

    #[test]
    fn an_alarm_does_not_come_between_keys_and_mark() {
        let room = tempfile::tempdir().unwrap();
        let command = hold(room.path());
        let put = || {
            let alarm = hold(room.path()).take_turn(Duration::ZERO);
            let blocked = alarm.err().and_then(|error| error.raw_os_error());
            assert_eq!(blocked, Some(libc::EWOULDBLOCK));
            Ok(())
        };
        assert_eq!(command.release_unless_held(put), Ok(()));
    }

    #[test]
    fn no_user_keeps_a_release_waiting() {
        use std::os::unix::fs::PermissionsExt;
        let room = tempfile::tempdir().unwrap();
        let hold = hold(room.path());
        hold.take_turn(Duration::ZERO).unwrap();
        let mode = fs::metadata(&hold.lock).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
