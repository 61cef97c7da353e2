//! A mariadbd that only this process can talk to: no network, no accounts,
//! its socket in a directory that is closed to others.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::admin::mariadb::server::{MARIADBD, ServiceUser};
use crate::admin::{Problem, Result};

/// In memory: sockets and the servers' messages.
pub const ROOM: &str = "/run/stayput-enable";

/// Crash recovery of a large database takes its time.
const READY_WITHIN: Duration = Duration::from_secs(900);

/// A running private server.
pub struct PrivateServer {
    name: &'static str,
    child: Child,
    socket: PathBuf,
}

impl PrivateServer {
    /// Starts a server on `data`. `first` are options that must come first
    /// (an option file).
    ///
    /// # Errors
    /// When it does not come up; with its own last words.
    pub fn start(
        name: &'static str,
        user: &ServiceUser,
        data: &Path,
        first: &[OsString],
        last: &[&str],
    ) -> Result<Self> {
        let room = prepare_room(user).map_err(room_problem)?;
        let socket = room.join(format!("{name}.sock"));
        let log = File::create(log_path(name)).map_err(room_problem)?;
        let errors = log.try_clone().map_err(room_problem)?;
        let option = |name: &str, value: &Path| {
            let mut option = OsString::from(format!("--{name}="));
            option.push(value);
            option
        };
        // Were this process killed, nobody else would end the server.
        let child = Command::new("/usr/bin/setpriv")
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .args(["--clear-groups", "--pdeathsig=TERM", "--", MARIADBD])
            .args(first)
            .arg(option("datadir", data))
            .arg(option("socket", &socket))
            .arg(option("pid-file", &room.join(format!("{name}.pid"))))
            // A temporary file of the old server would be a clear copy on
            // the disk that nothing overwrites later.
            .arg(option("tmpdir", &room))
            .args([
                "--skip-networking",
                "--skip-grant-tables",
                "--skip-log-bin",
                "--skip-slave-start",
                "--skip-log-error",
                "--general-log=0",
                "--slow-query-log=0",
                "--event-scheduler=DISABLED",
                "--innodb-buffer-pool-dump-at-shutdown=OFF",
                "--max-allowed-packet=1G",
            ])
            .args(last)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| {
                Problem::failed(
                    format!("{MARIADBD} cannot be run: {error}"),
                    "Is the package mariadb-server installed?",
                )
            })?;
        let mut server = Self {
            name,
            child,
            socket,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let answers = self
                .client("mariadb-admin")
                .arg("ping")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            if answers {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || started.elapsed() > READY_WITHIN {
                return Err(Problem::failed(
                    format!(
                        "The {} server did not start: {}",
                        self.name,
                        last_words(self.name)
                    ),
                    "Nothing was changed. Look at MariaDB's own messages above.",
                ));
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// A client program that talks to this server and to no other, whatever
    /// option files say.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(Path::new("/usr/bin").join(program));
        let mut socket = OsString::from("--socket=");
        socket.push(&self.socket);
        command
            .arg("--no-defaults")
            .arg("--protocol=socket")
            .arg(socket)
            .arg("--user=root");
        command
    }

    /// The rows of a query, one line each, columns separated by tabs.
    ///
    /// # Errors
    /// With MariaDB's own words.
    pub fn rows(&self, sql: &str) -> Result<Vec<String>> {
        let output = self
            .client("mariadb")
            .args(["--batch", "--skip-column-names", "--execute"])
            .arg(sql)
            .output()
            .map_err(|error| {
                Problem::failed(
                    format!("/usr/bin/mariadb cannot be run: {error}"),
                    "Install the client: `apt-get install mariadb-client`.",
                )
            })?;
        if !output.status.success() {
            return Err(Problem::failed(
                format!(
                    "The {} server does not answer a question: {}",
                    self.name,
                    String::from_utf8_lossy(&output.stderr).trim()
                ),
                "Look at the disk's health (`dmesg`) and run the command again.",
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Ends the server cleanly: everything is in its files then.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<()> {
        self.ask_to_end();
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(Problem::failed(
                format!(
                    "The {} server did not stop well: {}",
                    self.name,
                    last_words(self.name)
                ),
                "Run the command again.",
            )),
        }
    }

    fn ask_to_end(&self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        // It may have ended by itself.
        let _ = kill(pid, Signal::SIGTERM);
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.ask_to_end();
        let _ = self.child.wait();
    }
}

fn prepare_room(user: &ServiceUser) -> io::Result<PathBuf> {
    fs::create_dir_all(ROOM)?;
    fs::set_permissions(ROOM, fs::Permissions::from_mode(0o711))?;
    let room = Path::new(ROOM).join("sockets");
    fs::create_dir_all(&room)?;
    fs::set_permissions(&room, fs::Permissions::from_mode(0o700))?;
    chown(&room, Some(user.uid), Some(user.gid))?;
    Ok(room)
}

fn room_problem(error: io::Error) -> Problem {
    Problem::failed(
        format!("{ROOM}: {error}"),
        "Is /run mounted and not full? `df /run` tells.",
    )
}

fn log_path(name: &str) -> PathBuf {
    Path::new(ROOM).join(format!("{name}.log"))
}

/// The last errors of a server, in one line.
fn last_words(name: &str) -> String {
    let text = fs::read_to_string(log_path(name)).unwrap_or_default();
    let mut errors: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("[ERROR]"))
        .collect();
    if errors.is_empty() {
        errors = text.lines().collect();
    }
    let from = errors.len().saturating_sub(3);
    errors[from..].join(" / ")
}
