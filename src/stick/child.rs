//! What a child does with a stick. Reading, mounting and even opening one that
//! hangs holds a process in the kernel, where no signal reaches it, for minutes
//! or for ever; so another process does it, which is left behind when it does not
//! answer.
//!
//! It is the same program once more and not a fork: a fork would keep whatever
//! keys this process has in memory at that moment, for as long as the stick hangs.
//! Its words name the server and the volumes, which are no secrets, and all that
//! it comes to hold is what is on the stick.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_name;
use nix::unistd::write;

use super::answer::encode;
use super::volume::read_unchecked;
use super::writing::wipe;
use crate::filesystem::format_of;
use crate::sys::child::Child;
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
    /// This server's key files are destroyed; for each volume the errno, or 0, as
    /// four bytes, the lowest first.
    Wipe,
}

impl Work {
    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read-stick",
            Self::Wipe => "wipe-stick",
        }
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
    let mut words = vec![
        CString::new(work.word()),
        CString::new(server_id.to_string()),
    ];
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
    let is_asked = |work: &Work| word == work.word();
    let work = [Work::Read, Work::Wipe].into_iter().find(is_asked)?;
    // By this name the kernel tells of one that hangs.
    let _ = set_name(c"stayput-stick");
    let server_id = words.next().and_then(|id| id.to_str()?.parse().ok());
    let volumes: Vec<PathBuf> = words.map(PathBuf::from).collect();
    // Ctrl-C reaches it as well as the process that has started it.
    let done = at_end::put_back_when_ended().is_ok()
        && memory::keep_private().is_ok()
        && server_id.is_some_and(|server_id| {
            match work {
                Work::Read => read_all(&volumes, &server_id),
                Work::Wipe => wipe_all(&volumes, &server_id),
            }
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

fn wipe_all(volumes: &[PathBuf], server_id: &ServerId) -> Result<(), Errno> {
    volumes.iter().try_for_each(|volume| {
        let errno = match wipe(volume, server_id) {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        say(&errno.to_le_bytes())
    })
}

/// Past the buffer of standard output, which nobody would overwrite.
fn say(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(std::io::stdout().as_fd(), bytes) {
            Err(Errno::EINTR) => {}
            written => bytes = &bytes[written?..],
        }
    }
    Ok(())
}
