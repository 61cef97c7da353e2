//! A stick of a bad kind, as a block device of the host: it hangs, dies or lies about its size
//! when a test says so.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::run;
use crate::{Failure, Result, Scratch, seconds};

const SERVE: &str = include_str!("bad_stick.pl");

/// What becomes of what is read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As of any stick.
    Well,
    /// Once so many bytes more were written, nothing is answered any more.
    Hangs { after: u64 },
    /// Once so many bytes more were written, each is an error.
    Fails { after: u64 },
    /// It has less room than it says: what was never written before goes over these blocks of
    /// 4096 bytes, one after another, and round again.
    WritesOver { blocks: Vec<u64> },
}

/// The stick, with what is in an image. It is gone when it is dropped, or when the test is
/// killed, and whoever waits for it then waits no more.
pub struct BadStick {
    server: Child,
    device: String,
    /// Counts what it was told.
    told: u32,
    scratch: Scratch,
}

impl BadStick {
    /// Gives an image a block device that behaves well so far.
    ///
    /// # Errors
    /// What perl, mount or losetup says.
    pub fn of(image: &Path) -> Result<Self> {
        let scratch = Scratch::new()?;
        fs::create_dir(scratch.join("top"))?;
        let log = File::create(scratch.join("log"))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "unshare", "--mount"])
            .args(["--propagation", "private", "perl", "-e", SERVE, "--"])
            .arg(image)
            .args(["control", "top"].map(|name| scratch.join(name)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let server = command.spawn();
        let server = server.map_err(|e| Failure::new(format!("no bad stick: {e}")))?;
        let mut stick = Self {
            server,
            device: String::new(),
            told: 0,
            scratch,
        };
        stick.behaves(Behaviour::Well)?;
        let said = stick.wait_for("device ", seconds(20))?;
        let device = said.lines().find_map(|line| line.strip_prefix("device "));
        stick.device = device.unwrap_or_default().to_owned();
        Ok(stick)
    }

    /// Its name in the host's /dev.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// From now on.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn behaves(&mut self, how: Behaviour) -> Result {
        self.told += 1;
        let told = self.told;
        let line = match how {
            Behaviour::Well => format!("{told} well"),
            Behaviour::Hangs { after } => format!("{told} hang {after}"),
            Behaviour::Fails { after } => format!("{told} fail {after}"),
            Behaviour::WritesOver { blocks } => {
                let blocks: Vec<String> = blocks.iter().map(u64::to_string).collect();
                format!("{told} over {}", blocks.join(" "))
            }
        };
        let (new, control) = (self.scratch.join("new"), self.scratch.join("control"));
        fs::write(&new, line)?;
        Ok(fs::rename(&new, &control)?)
    }

    /// Waits until somebody waits for it.
    ///
    /// # Errors
    /// Where nobody does.
    pub fn wait_until_it_hangs(&mut self, limit: Duration) -> Result {
        let word = format!("hangs {}\n", self.told);
        self.wait_for(&word, limit).map(drop)
    }

    /// As one that was put back: it behaves well, and nothing of it is left in memory.
    ///
    /// # Errors
    /// What blockdev says.
    pub fn is_put_back(&mut self) -> Result {
        self.behaves(Behaviour::Well)?;
        run("blockdev", &["--flushbufs", &self.device]).map(drop)
    }

    fn wait_for(&mut self, word: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.server.try_wait()?.is_some();
            let said = fs::read_to_string(self.scratch.join("log"))?;
            // A whole line of it.
            if said.contains(word) && said.ends_with('\n') {
                return Ok(said);
            }
            if ended || Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "waited for {word:?} of a bad stick. It said: {said}"
                )));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for BadStick {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
