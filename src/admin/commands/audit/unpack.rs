//! Unpacks files with the system's own programs, through a pipe and within
//! bounds: a few packed bytes can stand for many gigabytes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The bounds for one file.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Most unpacked bytes.
    pub bytes: u64,
    /// Longest time from the first byte to the last.
    pub time: Duration,
}

/// Bounds for logs, which are packed at a size of some megabytes.
pub const BOUNDS: Bounds = Bounds {
    bytes: 1024 * 1024 * 1024,
    time: Duration::from_secs(60),
};

/// The program that unpacks its standard input, by the ending of the file's name.
/// Each takes at most about 256 MiB of memory, whatever the file asks for.
pub fn unpacker(end: &str) -> Option<Command> {
    let words: &[&str] = match end {
        "gz" => &["gzip", "-dc"],
        "xz" => &["xz", "-dcq", "--memlimit-decompress=256MiB"],
        "zst" => &["zstd", "-dcq"],
        "bz2" => &["bzip2", "-dcq"],
        _ => return None,
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    Some(command)
}

/// The output of the program. At the bounds it ends as if the program had.
pub struct Unpacked {
    child: Child,
    pipe: ChildStdout,
    left: u64,
    until: Instant,
    /// The program has closed its end.
    ended: bool,
}

impl Unpacked {
    /// `None` where there is no such program.
    pub fn begin(command: &mut Command, packed: File, bounds: Bounds) -> Option<Self> {
        let until = Instant::now() + bounds.time;
        let mut child = command
            .stdin(packed)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let pipe = child.stdout.take().expect("it was asked for");
        Some(Self {
            child,
            pipe,
            left: bounds.bytes,
            until,
            ended: false,
        })
    }

    /// Whether everything was read, and the program found nothing wrong. One
    /// that goes on is stopped.
    pub fn was_whole(mut self) -> bool {
        if !self.ended {
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        self.ended && status.is_ok_and(|status| status.success())
    }
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(into.len(), |left| left.min(into.len()));
        let time = self.until.saturating_duration_since(Instant::now());
        if most == 0 || time.is_zero() {
            return Ok(0);
        }
        let wait = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, wait)? == 0 {
            return Ok(0);
        }
        let read = self.pipe.read(&mut into[..most])?;
        self.ended = read == 0;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

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

    fn read(command: &mut Command, packed: File, bounds: Bounds) -> (u64, bool) {
        let mut unpacked = Unpacked::begin(command, packed, bounds).unwrap();
        let length = io::copy(&mut unpacked, &mut io::sink()).unwrap();
        (length, unpacked.was_whole())
    }

    #[test]
    fn what_unpacks_to_more_than_allowed_is_not_called_whole() {
        let packers = [
            ("gz", "gzip"),
            ("xz", "xz"),
            ("zst", "zstd"),
            ("bz2", "bzip2"),
        ];
        for (end, packer) in packers {
            let time = PATIENCE;
            // The rest still fits into the pipe: the program ends well.
            for (bytes, expected) in [(200_000, false), (199_999, false), (200_001, true)] {
                let mut command = unpacker(end).unwrap();
                let (length, whole) = read(&mut command, packed(packer), Bounds { bytes, time });
                assert_eq!(length, bytes.min(200_000), "{end}");
                assert_eq!(whole, expected, "{end}, {bytes} bytes");
            }
        }
        assert!(unpacker("lz4").is_none());
    }

    #[test]
    fn a_program_that_never_ends_is_stopped() {
        let bounds = Bounds {
            bytes: 4 * 1024 * 1024,
            time: Duration::from_millis(50),
        };
        for endless in ["sleep 60", "yes"] {
            let begun = Instant::now();
            let nothing = File::open("/dev/null").unwrap();
            let mut shell = Command::new("sh");
            let shell = shell.args(["-c", endless]);
            let mut unpacked = Unpacked::begin(shell, nothing, bounds).unwrap();
            // Slower than the program: there is always more to read.
            let mut length = 0;
            let mut some = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = unpacked.read(&mut some) {
                length += read as u64;
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(!unpacked.was_whole());
            assert!(length < bounds.bytes, "{endless}: {length}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{endless}");
        }
    }
}
