//! What a child does with a stick. Reading, mounting and even opening one that
//! hangs holds a process in the kernel, where no signal reaches it, for minutes
//! or for ever; so another process does it, which is left behind when it does not
//! answer.
//!
//! It is the same program once more and not a fork: a fork would keep whatever
//! keys this process has in memory at that moment, for as long as the stick hangs.
//! Its words name the server and the volumes, which are no secrets, and all that
//! it comes to hold is what is on the stick.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_name;

use super::StickId;
use super::answer::encode;
use super::volume::read_unchecked;
use super::writing::{NotWiped, wipe};
use crate::filesystem::format_of;
use crate::sys::child::{Child, say};
use crate::sys::{at_end, memory};
use crate::vault::ServerId;

/// A stick shows its disk a moment before its partitions; one without a
/// filesystem is given this long before it is judged.
const SETTLES: Duration = Duration::from_millis(700);

/// What is to be done with the volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// For each one answer of [`super::answer`].
    Read,
    /// This server's key files are destroyed, where they are those of this stick; for
    /// each volume what [`code_of`] says, as four bytes, the lowest first.
    Wipe(StickId),
}

const READ: &str = "read-stick";
const WIPE: &str = "wipe-stick";

impl Work {
    /// The words that ask for it.
    fn words(self) -> Vec<String> {
        match self {
            Self::Read => vec![READ.into()],
            Self::Wipe(stick) => vec![WIPE.into(), u64::from_le_bytes(stick).to_string()],
        }
    }

    /// The work that words ask for which begin so; the error where they make no sense.
    fn of(first: &str, rest: &mut impl Iterator<Item = OsString>) -> Option<Result<Self, Errno>> {
        match first {
            READ => Some(Ok(Self::Read)),
            WIPE => {
                let stick = rest.next();
                let stick = stick.and_then(|word| word.to_str()?.parse::<u64>().ok());
                let work = stick.map(|stick| Self::Wipe(stick.to_le_bytes()));
                Some(work.ok_or(Errno::EINVAL))
            }
            _ => None,
        }
    }
}

/// What is said of a volume that was to be wiped: 0 when it is, -1 of another stick,
/// else the errno.
pub fn code_of(wiped: Result<(), NotWiped>) -> i32 {
    match wiped {
        Ok(()) => 0,
        Err(NotWiped::AnotherStick) => -1,
        Err(NotWiped::Failed(errno)) => errno as i32,
    }
}

/// What [`code_of`] has said.
pub fn wiped_of(code: i32) -> Result<(), NotWiped> {
    match code {
        0 => Ok(()),
        -1 => Err(NotWiped::AnotherStick),
        errno => Err(NotWiped::Failed(Errno::from_raw(errno))),
    }
}

/// Starts a child.
///
/// # Errors
/// What [`Child::start`] says; EINVAL for a name that has a NUL byte in it.
pub fn start<'a>(
    work: Work,
    server_id: &ServerId,
    volumes: impl Iterator<Item = &'a Path>,
) -> Result<Child, Errno> {
    let named = work.words().into_iter().chain([server_id.to_string()]);
    let mut words: Vec<_> = named.map(CString::new).collect();
    words.extend(volumes.map(|volume| CString::new(volume.as_os_str().as_bytes())));
    let words = words.into_iter().collect::<Result<Vec<_>, _>>();
    let words = words.map_err(|_| Errno::EINVAL)?;
    let words: Vec<_> = words.iter().map(CString::as_c_str).collect();
    Child::start(&words)
}

/// Does what the program's words ask for, where it was started as such a child;
/// else `None`.
pub fn run_as_child() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let word = words.next()?;
    let work = Work::of(word.to_str()?, &mut words)?;
    // By this name the kernel tells of one that hangs.
    let _ = set_name(c"stayput-stick");
    let server_id = words.next().and_then(|id| id.to_str()?.parse().ok());
    let volumes: Vec<PathBuf> = words.map(PathBuf::from).collect();
    // Ctrl-C reaches it as well as the process that has started it.
    let done = at_end::put_back_when_ended().is_ok()
        && memory::keep_private().is_ok()
        && server_id.is_some_and(|server_id| {
            work.and_then(|work| match work {
                Work::Read => read_all(&volumes, &server_id),
                Work::Wipe(stick) => wipe_all(&volumes, &server_id, &stick),
            })
            .is_ok()
        });
    Some(match done {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn read_all(volumes: &[PathBuf], server_id: &ServerId) -> Result<(), Errno> {
    let shows_a_filesystem = |volume: &PathBuf| {
        let format = format_of(volume);
        format.is_ok_and(|format| format.filesystem().is_some())
    };
    if !volumes.iter().any(shows_a_filesystem) {
        std::thread::sleep(SETTLES);
    }
    volumes
        .iter()
        .try_for_each(|volume| say(&encode(&read_unchecked(volume, server_id))))
}

fn wipe_all(volumes: &[PathBuf], server_id: &ServerId, stick: &StickId) -> Result<(), Errno> {
    volumes
        .iter()
        .try_for_each(|volume| say(&code_of(wipe(volume, server_id, stick)).to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_hears_which_stick_it_is_to_wipe() {
        for work in [Work::Read, Work::Wipe([0xfe, 1, 2, 3, 4, 5, 6, 0xff])] {
            let mut words = work.words().into_iter().map(OsString::from);
            let first = words.next().unwrap();
            let heard = Work::of(first.to_str().unwrap(), &mut words);
            assert_eq!(heard, Some(Ok(work)));
        }
        let nobody = || std::iter::empty::<OsString>();
        assert_eq!(Work::of(WIPE, &mut nobody()), Some(Err(Errno::EINVAL)));
        assert_eq!(Work::of("status", &mut nobody()), None);
    }

    #[test]
    fn what_became_of_a_wipe_goes_through_the_pipe() {
        let failed = NotWiped::Failed(Errno::EROFS);
        for wiped in [Ok(()), Err(NotWiped::AnotherStick), Err(failed)] {
            assert_eq!(wiped_of(code_of(wiped)), wiped);
        }
    }
}
