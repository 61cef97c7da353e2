//! The processes of a container: its systemd, and the commands of the tests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cgroup::Cgroup;
use crate::scratch::next_number;
use crate::{Failure, Output, Result, Scratch, seconds};

const START: &str = include_str!("start.sh");
/// Moves itself into a control group first.
const INTO_CGROUP: &str = "echo $$ >\"$1/cgroup.procs\" && shift && exec \"$@\"";
/// How long systemd may take to start everything.
const BOOT: Duration = seconds(120);
/// How often a wait looks again.
const PAUSE: Duration = Duration::from_millis(10);

/// The running namespaces. All their processes end with it, or with the
/// thread that started it.
pub(super) struct Namespace {
    outer: Child,
    init: u32,
    // Dropped after the processes are gone.
    cgroup: Cgroup,
    scratch: Scratch,
}

impl Namespace {
    /// Starts systemd on the disk behind a loop device and waits until it has
    /// started everything, or failed to.
    pub fn start(device: &Path, opens: bool) -> Result<Self> {
        let scratch = Scratch::new()?;
        let cgroup = Cgroup::new()?;
        let log = File::create(scratch.join("console"))?;
        let mut command = killed_with_us();
        command
            .args(["sh", "-c", INTO_CGROUP, "sh"])
            .arg(cgroup.path())
            .args(["unshare", "--mount", "--propagation", "private", "--pid"])
            .args(["--uts", "--ipc", "--net", "--cgroup", "--fork"])
            .args(["--kill-child", "sh", "-c", START, "start.sh"])
            .arg(scratch.path())
            .arg(device)
            .arg(if opens { "opens" } else { "closed" })
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let outer = command.spawn().map_err(no_tools)?;
        let mut started = Self {
            outer,
            init: 0,
            cgroup,
            scratch,
        };
        started.wait_until_systemd_runs()?;
        started.wait_until_up()?;
        Ok(started)
    }

    /// Its root directory as the host sees it.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init))
    }

    fn wait_until_systemd_runs(&mut self) -> Result {
        let deadline = Instant::now() + BOOT;
        loop {
            let init = std::fs::read_to_string(self.scratch.join("init")).unwrap_or_default();
            if let Ok(init) = init.trim().parse() {
                self.init = init;
                let program = std::fs::read_link(format!("/proc/{init}/exe"));
                if program.is_ok_and(|program| program.ends_with("systemd")) {
                    return Ok(());
                }
            }
            if self.outer.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "the container did not start (it needs root): {}",
                    self.console()
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn wait_until_up(&mut self) -> Result {
        let deadline = Instant::now() + BOOT;
        loop {
            let state = self.run("systemctl is-system-running 2>&1", seconds(20))?;
            match state.text.trim() {
                "running" | "degraded" => return Ok(()),
                _ if Instant::now() > deadline => {
                    let jobs = self.run("systemctl list-jobs; systemctl --failed", seconds(20))?;
                    return Err(Failure::new(format!(
                        "the container is still {state}: {jobs}{}",
                        self.console()
                    )));
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    fn console(&self) -> String {
        let said = std::fs::read(self.scratch.join("console")).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    pub fn run(&self, command: &str, limit: Duration) -> Result<Output> {
        self.spawn(command)?.wait(limit)
    }

    /// Starts a command as root.
    pub fn spawn(&self, command: &str) -> Result<Background> {
        let said = self.scratch.join(&format!("said-{}", next_number()));
        let output = File::create(&said)?;
        let child = killed_with_us()
            .args(["sh", "-c", INTO_CGROUP, "sh"])
            .arg(self.cgroup.of_the_tests()?)
            .args(["nsenter", "--target", &self.init.to_string()])
            .args(["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"])
            .args(["--root", "--wd", "--", "env", "-i", "HOME=/root"])
            .args(["LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
            // It is a child of nsenter, which is what can be killed from here.
            .args(["setpriv", "--pdeathsig", "KILL", "sh", "-c", command])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(no_tools)?;
        Ok(Background {
            command: command.to_string(),
            child,
            said,
        })
    }

    /// Everything in it is killed at once.
    pub fn kill(&mut self) {
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        // Process 1 is gone when each of its processes is.
        let deadline = Instant::now() + seconds(60);
        let init = PathBuf::from(format!("/proc/{}", self.init));
        while self.init != 0 && init.exists() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> Result {
        let deadline = Instant::now() + limit;
        while self.outer.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(Failure::new("the container did not switch itself off"));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that runs in a container.
pub struct Background {
    command: String,
    child: Child,
    said: PathBuf,
}

impl Background {
    /// What it has said so far, to its standard output and error.
    pub fn said(&self) -> String {
        let said = std::fs::read(&self.said).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<Output>> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(None);
        };
        Ok(Some(Output {
            // Of one that was killed, as a shell says it.
            status: status.code().unwrap_or(137),
            text: self.said(),
        }))
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<Output> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(output) = self.ended()? {
                return Ok(output);
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "in the container, {} s passed: {}\nIt had said: {}",
                    limit.as_secs(),
                    self.command,
                    self.said()
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until it has said `text`; gives all that it has said.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            // In this order: what it says last is seen.
            let ended = self.ended()?.is_some();
            let said = self.said();
            if said.contains(text) {
                return Ok(said);
            }
            if ended || Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "waited for {text:?} in the container from: {}\nIt said: {said}",
                    self.command
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that does not outlive the thread that starts it.
fn killed_with_us() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    command
}

fn no_tools(error: std::io::Error) -> Failure {
    Failure::new(format!(
        "cannot start a container: {error} (run images/install-tools)"
    ))
}
