//! Terminals in raw input mode: keys are read as they are pressed, and the
//! kernel echoes nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, Termios, tcflush, tcgetattr, tcsetattr,
};

use super::at_end::{Changed, put_back_at_end};

/// Without these it echoes nothing, and a key is read as it is pressed.
const COOKED: LocalFlags = LocalFlags::ICANON
    .union(LocalFlags::ECHO)
    .union(LocalFlags::ISIG)
    .union(LocalFlags::IEXTEN);

/// An open terminal in raw input mode. Reading and writing never block.
/// Dropping it restores its settings, and so does whatever ends the process.
pub struct Terminal {
    file: File,
    _raw: Option<Changed>,
}

impl Terminal {
    /// Opens a terminal and sets raw input mode. One that is raw already stays so
    /// afterwards: whoever has set that up goes on with it.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, |_| ())
    }

    /// Opens a console in the initramfs. Nobody else has it raw at this time: where it is,
    /// a stage was killed, and it is mended afterwards.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open_console(path: &Path) -> io::Result<Self> {
        Self::open_with(path, |before| {
            if !before.local_flags.intersects(COOKED) {
                before.local_flags.insert(COOKED);
                before.input_flags.insert(InputFlags::IXON);
            }
        })
    }

    fn open_with(path: &Path, mend: fn(&mut Termios)) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(path)?;
        let before = tcgetattr(&file).ok();
        let raw = before
            .map(|before| set_raw(&file, before, mend))
            .transpose()?;
        Ok(Self { file, _raw: raw })
    }

    /// Reads bytes that were typed; empty where there are none.
    ///
    /// # Errors
    /// What read(2) says; UnexpectedEof or EIO when the terminal has hung up.
    pub fn read<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        match (&self.file).read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => Ok(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(&[]),
            Err(error) => Err(error),
        }
    }

    /// Writes bytes; returns how many were accepted, 0 where none can be now.
    ///
    /// # Errors
    /// What write(2) says.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match (&self.file).write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Discards what was typed and not read: whoever reads next may show it. Does not
    /// wait for output, which a stalled serial line never takes.
    pub fn discard_unread(&self) {
        let _ = tcflush(&self.file, FlushArg::TCIFLUSH);
    }
}

/// Sets raw input mode, until what is returned is dropped.
fn set_raw(file: &File, mut before: Termios, mend: fn(&mut Termios)) -> io::Result<Changed> {
    let mut raw = before.clone();
    raw.local_flags.remove(COOKED);
    mend(&mut before);
    raw.input_flags
        .remove(InputFlags::IXON | InputFlags::IXOFF | InputFlags::INLCR | InputFlags::IGNCR);
    raw.output_flags
        .insert(OutputFlags::OPOST | OutputFlags::ONLCR);
    let kept = file.try_clone()?;
    let changed = put_back_at_end(move || {
        let _ = tcsetattr(&kept, SetArg::TCSANOW, &before);
    });
    tcsetattr(file, SetArg::TCSANOW, &raw)?;
    Ok(changed)
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::{OpenptyResult, openpty};

    fn opened() -> (OpenptyResult, Terminal) {
        let pair = openpty(None, None).unwrap();
        let name = nix::unistd::ttyname(&pair.slave).unwrap();
        let terminal = Terminal::open(&name).unwrap();
        (pair, terminal)
    }

    #[test]
    fn a_console_that_a_killed_stage_left_raw_is_mended() {
        let (pair, terminal) = opened();
        let flags = || tcgetattr(&pair.slave).unwrap().local_flags & COOKED;
        assert_eq!(flags(), LocalFlags::empty());
        // What was killed puts nothing back.
        std::mem::forget(terminal);
        let name = nix::unistd::ttyname(&pair.slave).unwrap();
        drop(Terminal::open(&name).unwrap());
        assert_eq!(flags(), LocalFlags::empty(), "it may be somebody else's");
        drop(Terminal::open_console(&name).unwrap());
        assert_eq!(flags(), COOKED);
    }

    #[test]
    fn one_that_only_echoes_nothing_stays_so() {
        let pair = openpty(None, None).unwrap();
        let name = nix::unistd::ttyname(&pair.slave).unwrap();
        let mut silent = tcgetattr(&pair.slave).unwrap();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &silent).unwrap();
        drop(Terminal::open_console(&name).unwrap());
        let after = tcgetattr(&pair.slave).unwrap().local_flags;
        assert_eq!(after & COOKED, COOKED - LocalFlags::ECHO);
    }
}
