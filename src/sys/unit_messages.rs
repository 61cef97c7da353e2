//! What systemd shows on the console of the units that it starts.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// SIGRTMIN as systemd counts from it: that of glibc. musl has another.
const SYSTEMD_SIGRTMIN: libc::c_int = 34;

/// Where PID 1 answers root itself; there is no message bus in an initramfs.
const PRIVATE_BUS: &str = "/run/systemd/private";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// PID 1 tells everybody who listens what its units do: so many messages may come
/// before the answer.
const MESSAGES: usize = 256;

/// How root logs in: 30 is its number, 0, in hex.
const LOG_IN: &[u8] = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n";
/// `SetShowStatus("")` of org.freedesktop.systemd1(5), in the bytes of the D-Bus
/// specification, "Message Format": nobody overrides what systemd was told at its start.
const FORGET_OVERRIDE: &[u8] = b"l\x01\0\x01\x05\0\0\0\x01\0\0\0\x9f\0\0\0\
    \x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0\0\0\0\0\0\0\
    \x02\x01s\0\x20\0\0\0org.freedesktop.systemd1.Manager\0\0\0\0\0\0\0\0\
    \x03\x01s\0\x0d\0\0\0SetShowStatus\0\0\0\
    \x06\x01s\0\x18\0\0\0org.freedesktop.systemd1\0\0\0\0\0\0\0\0\
    \x08\x01g\0\x01s\0\0\
    \0\0\0\0\0";

/// Bytes of a message before the array of its header's fields.
const FIXED_HEADER: usize = 16;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// systemd shows nothing of its units from now on, where PID 1 is systemd.
pub fn silence() {
    // Another init may do something else at the signal.
    if is_systemd() {
        signal(21);
    }
}

/// systemd shows again what it was told to show at its start, by `quiet` or
/// `systemd.show_status=`.
///
/// A systemd that cannot forget what a signal said shows everything: somebody stands
/// there.
pub fn put_back() {
    if is_systemd() && forget_override().is_err() {
        signal(20);
    }
}

/// The test of `sd_booted(3)`.
fn is_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// SIGRTMIN+20 shows everything, +21 nothing (systemd(1), "Signals").
fn signal(number: libc::c_int) {
    // SAFETY: kill(2) takes two numbers and no memory.
    let _ = unsafe { libc::kill(1, SYSTEMD_SIGRTMIN + number) };
}

fn forget_override() -> io::Result<()> {
    let mut bus = UnixStream::connect(PRIVATE_BUS)?;
    bus.set_read_timeout(Some(PATIENCE))?;
    bus.set_write_timeout(Some(PATIENCE))?;
    ask(&mut bus)
}

fn ask(bus: &mut (impl Read + Write)) -> io::Result<()> {
    bus.write_all(LOG_IN)?;
    let mut welcome = [0; 1];
    while welcome != *b"\n" {
        bus.read_exact(&mut welcome)?;
    }
    // Not before: PID 1 would have read the call together with the log-in, and look at it
    // only when something else comes.
    bus.write_all(FORGET_OVERRIDE)?;
    for _ in 0..MESSAGES {
        match next_message(bus)? {
            METHOD_RETURN => return Ok(()),
            ERROR => return Err(ErrorKind::Unsupported.into()),
            _ => {}
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// Reads one message to its end; gives its type.
fn next_message(bus: &mut impl Read) -> io::Result<u8> {
    let mut header = [0; FIXED_HEADER];
    bus.read_exact(&mut header)?;
    let [_, kind, _, _, body @ .., f0, f1, f2, f3] = header;
    let [b0, b1, b2, b3, ..] = body;
    let body = u64::from(u32::from_le_bytes([b0, b1, b2, b3]));
    let fields = u64::from(u32::from_le_bytes([f0, f1, f2, f3]));
    let rest = fields.next_multiple_of(8) + body;
    let skipped = io::copy(&mut bus.take(rest), &mut io::sink())?;
    match skipped == rest {
        true => Ok(kind),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A systemd that has said all this.
    struct Said(&'static [u8], Vec<u8>);

    impl Read for Said {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(said: &'static [u8]) -> Result<(), ErrorKind> {
        let mut bus = Said(said, Vec::new());
        let answer = ask(&mut bus).map_err(|error| error.kind());
        assert!(bus.1.ends_with(FORGET_OVERRIDE));
        answer
    }

    #[test]
    fn the_call_is_as_long_as_its_header_says() {
        let mut call = FORGET_OVERRIDE;
        assert_eq!(next_message(&mut call).ok(), Some(1));
        assert!(call.is_empty());
    }

    #[test]
    fn the_answer_is_found_behind_what_is_told_to_all() {
        let news = b"OK 5f\r\nl\x04\x01\x01\x05\0\0\0\x01\0\0\0\x03\0\0\0abc\0\0\0\0\0hello\
            l\x02\x01\x01\0\0\0\0\x02\0\0\0\x08\0\0\0\x05\x01u\0\x01\0\0\0";
        assert_eq!(answer(news), Ok(()));
    }

    #[test]
    fn an_older_systemd_is_told_by_its_error() {
        let error = b"OK 5f\r\nl\x03\x01\x01\0\0\0\0\x02\0\0\0\x08\0\0\0\x05\x01u\0\x01\0\0\0";
        assert_eq!(answer(error), Err(ErrorKind::Unsupported));
        assert_eq!(answer(b"REJECTED\r\n"), Err(ErrorKind::UnexpectedEof));
    }
}
