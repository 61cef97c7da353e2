//! Unpacks files with the system's own programs, through a pipe and within
//! bounds: a few packed bytes can stand for many gigabytes.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::not_searched::NotSearched;

/// The bounds for one file.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Most unpacked bytes.
    pub bytes: u64,
    /// When it must be done.
    pub until: Instant,
}

/// The output of the program. At the bounds reading it fails: with `FileTooLarge`
/// or with `TimedOut`.
pub struct Unpacked {
    child: Child,
    pipe: ChildStdout,
    bounds: Bounds,
    /// The program has closed its end.
    ended: bool,
}

impl Unpacked {
    /// # Errors
    /// `NotFound` where there is no such program, and what else prevents its start.
    pub fn begin(command: &mut Command, packed: File, bounds: Bounds) -> io::Result<Self> {
        let mut child = command
            .stdin(packed)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdout.take().expect("it was asked for");
        Ok(Self {
            child,
            pipe,
            bounds,
            ended: false,
        })
    }

    /// How many bytes more could be unpacked.
    pub const fn left(&self) -> u64 {
        self.bounds.bytes
    }

    /// Ends the program.
    ///
    /// # Errors
    /// `Damaged` unless everything was read and the program found nothing wrong.
    pub fn finish(mut self) -> Result<(), NotSearched> {
        if !self.ended {
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        match self.ended && status.is_ok_and(|status| status.success()) {
            true => Ok(()),
            false => Err(NotSearched::Damaged),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = &mut self.bounds.bytes;
        let most = usize::try_from(*left).map_or(into.len(), |left| left.min(into.len()));
        if most == 0 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let time = self.bounds.until.saturating_duration_since(Instant::now());
        let wait = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        if time.is_zero() || poll(&mut fds, wait)? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let read = self.pipe.read(&mut into[..most])?;
        self.ended = read == 0;
        *left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::FileFormat;
    use super::*;
    use std::time::Duration;

    /// What `packer` makes of 200,000 zeroes.
    fn packed(packer: &str) -> File {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, vec![0; 200_000]).unwrap();
        let packed = File::create(directory.path().join("packed")).unwrap();
        let pack = Command::new(packer)
            .arg("-c")
            .stdin(File::open(&path).unwrap())
            .stdout(packed)
            .status();
        assert!(pack.unwrap().success());
        File::open(directory.path().join("packed")).unwrap()
    }

    fn command(of: &mut File) -> Command {
        let mut head = [0; 16];
        std::os::unix::fs::FileExt::read_at(of, &mut head, 0).unwrap();
        match FileFormat::of(&head) {
            FileFormat::Packed(unpacker) => unpacker.command(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_unpacks_to_more_than_allowed_is_not_called_whole() {
        for packer in ["gzip", "xz", "zstd", "bzip2"] {
            let until = Instant::now() + Duration::from_secs(60);
            // The rest still fits into the pipe: the program ends well.
            for (bytes, whole) in [(200_000, false), (199_999, false), (200_001, true)] {
                let mut file = packed(packer);
                let mut command = command(&mut file);
                let bounds = Bounds { bytes, until };
                let mut unpacked = Unpacked::begin(&mut command, file, bounds).unwrap();
                let read = io::copy(&mut unpacked, &mut io::sink());
                match whole {
                    true => assert_eq!(read.unwrap(), 200_000, "{packer}"),
                    false => assert_eq!(read.unwrap_err().kind(), ErrorKind::FileTooLarge),
                }
                assert_eq!(unpacked.finish().is_ok(), whole, "{packer}, {bytes} bytes");
            }
        }
    }

    #[test]
    fn a_program_that_never_ends_is_stopped() {
        for endless in ["sleep 60", "yes"] {
            let begun = Instant::now();
            let bounds = Bounds {
                bytes: 4 * 1024 * 1024,
                until: begun + Duration::from_millis(50),
            };
            let nothing = File::open("/dev/null").unwrap();
            let mut shell = Command::new("sh");
            let shell = shell.args(["-c", endless]);
            let mut unpacked = Unpacked::begin(shell, nothing, bounds).unwrap();
            // Slower than the program: there is always more to read.
            let mut some = vec![0; 64 * 1024];
            while let Ok(1..) = unpacked.read(&mut some) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let timed_out = unpacked.read(&mut some).unwrap_err();
            assert_eq!(timed_out.kind(), ErrorKind::TimedOut, "{endless}");
            assert!(unpacked.finish().is_err());
            assert!(begun.elapsed() < Duration::from_secs(30), "{endless}");
        }
    }
}
