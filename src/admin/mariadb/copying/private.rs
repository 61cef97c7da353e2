//! A mariadbd that only this process can talk to: no network, no accounts,
//! its socket in a directory that is closed to others.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::admin::mariadb::service_user::{MARIADBD, ServiceUser};
use crate::admin::problem::{Problem, Result};

use super::client::Client;
use super::options::ServerPaths;

/// In memory: sockets and the servers' messages.
pub const ROOM: &str = "/run/stayput-enable";

/// Crash recovery of a large database takes its time.
const READY_WITHIN: Duration = Duration::from_secs(1800);

/// Writing out a large buffer pool on a slow disk takes its time.
const ENDED_WITHIN: Duration = Duration::from_secs(3600);

/// A running private server.
pub struct PrivateServer {
    paths: ServerPaths,
    child: Child,
    client: Client,
    log: PathBuf,
}

/// What a server is started with.
pub struct Start<'a> {
    /// Whom it runs as.
    pub user: &'a ServiceUser,
    /// mariadbd's arguments in the unit.
    pub unit_arguments: &'a [String],
    /// Where it keeps everything.
    pub paths: ServerPaths,
    /// Arguments that only this start needs.
    pub more: Vec<OsString>,
}

impl Start<'_> {
    /// Every argument: files first, those of the unit, and ours, which count.
    pub fn arguments(&self) -> Vec<OsString> {
        let (files, others): (Vec<&String>, Vec<&String>) = self
            .unit_arguments
            .iter()
            .partition(|word| names_a_file(word));
        let given = files.into_iter().chain(others).map(OsString::from);
        given
            .chain(self.paths.arguments())
            .chain(self.more.iter().cloned())
            .collect()
    }

    /// Checks the paths that mariadbd would use, without starting it.
    ///
    /// # Errors
    /// When one of them leads out of the server's own directories.
    pub fn foresee(&self) -> Result<()> {
        let arguments: Vec<String> = self
            .arguments()
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let config = self.user.configuration(&arguments)?;
        inside(&self.paths, config.variables())
    }

    /// Starts the server and checks its paths again, as it reports them itself.
    ///
    /// # Errors
    /// When it does not come up (with its own words), or a path of it leads
    /// elsewhere.
    pub fn start(self) -> Result<PrivateServer> {
        self.foresee()?;
        let name = self.paths.name;
        let log_path = Path::new(ROOM).join(format!("{name}.log"));
        let log = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&log_path)
            .map_err(|error| room_problem(&error))?;
        let errors = log.try_clone().map_err(|error| room_problem(&error))?;
        // Were this process killed, nobody else would end the server.
        let child = Command::new("/usr/bin/setpriv")
            .arg(format!("--reuid={}", self.user.uid))
            .arg(format!("--regid={}", self.user.gid))
            .args(["--clear-groups", "--pdeathsig=TERM", "--", MARIADBD])
            .args(self.arguments())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/nonexistent")
            .current_dir("/")
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
        let mut server = PrivateServer {
            client: Client::private(name, self.paths.socket()),
            paths: self.paths,
            child,
            log: log_path,
        };
        server.wait_until_ready()?;
        server.check_paths()?;
        Ok(server)
    }
}

fn names_a_file(word: &str) -> bool {
    word.starts_with("--defaults") || word == "--no-defaults"
}

fn inside<'a>(
    paths: &ServerPaths,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<()> {
    let strays = paths.strays(variables);
    if strays.is_empty() {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "MariaDB's configuration sets paths that the {} server must not use: {}.",
            paths.name,
            strays.join(", ")
        ),
        "Nothing was changed. Take them out of /etc/mysql, or set them to a place in the data \
         directory; if one of them belongs to a plugin, please report it to stayput's authors.",
    ))
}

impl PrivateServer {
    /// Who asks this server.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it answers.
    pub fn socket(&self) -> PathBuf {
        self.paths.socket()
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.paths.data
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            if self.paths.socket().exists() && self.client.rows("SELECT 1").is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || started.elapsed() > READY_WITHIN {
                return Err(Problem::failed(
                    format!(
                        "The {} server did not start: {}",
                        self.paths.name,
                        last_words(&self.log)
                    ),
                    "Nothing was changed. Look at MariaDB's own messages above.",
                ));
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn check_paths(&self) -> Result<()> {
        let rows = self.client.rows("SHOW GLOBAL VARIABLES")?;
        let pair = |row: &Vec<String>| match &row[..] {
            [name, value] => Some((name.clone(), value.clone())),
            _ => None,
        };
        let variables: Vec<(String, String)> = rows.iter().filter_map(pair).collect();
        inside(
            &self.paths,
            variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )?;
        let writing = self.client.rows(
            "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'AUDIT' \
             AND PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_NAME NOT IN \
             ('QUERY_RESPONSE_TIME_AUDIT', 'userstat')",
        )?;
        match writing.first() {
            None => Ok(()),
            Some(name) => Err(Problem::refused(
                format!("The plugin {} would write rows into a log.", name.join("")),
                "Nothing was changed. Take it out of /etc/mysql until MariaDB is encrypted.",
            )),
        }
    }

    /// Ends the server cleanly: everything is in its files then.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<()> {
        self.ask_to_end();
        match self.wait_for_end() {
            Some(status) if status.success() => Ok(()),
            _ => Err(Problem::failed(
                format!("The {} server did not stop well.", self.paths.name),
                "Look at the disk (`df`, `dmesg`), then run the command again.",
            )),
        }
    }

    /// Ends a server whose files nobody wants, at once.
    pub fn throw_away(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn ask_to_end(&self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        // It may have ended by itself.
        let _ = kill(pid, Signal::SIGTERM);
    }

    fn wait_for_end(&mut self) -> Option<std::process::ExitStatus> {
        let asked = Instant::now();
        while asked.elapsed() < ENDED_WITHIN {
            match self.child.try_wait() {
                Ok(None) => sleep(Duration::from_millis(20)),
                Ok(Some(status)) => return Some(status),
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.ask_to_end();
        if self.wait_for_end().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Makes the directories in memory.
///
/// # Errors
/// When /run is full or not there.
pub fn prepare_room(user: &ServiceUser) -> Result<PathBuf> {
    let room = Path::new(ROOM).join("sockets");
    let made = || -> io::Result<()> {
        fs::create_dir_all(ROOM)?;
        fs::set_permissions(ROOM, fs::Permissions::from_mode(0o711))?;
        fs::create_dir_all(&room)?;
        fs::set_permissions(&room, fs::Permissions::from_mode(0o700))?;
        chown(&room, Some(user.uid), Some(user.gid))
    };
    made().map_err(|error| room_problem(&error))?;
    Ok(room)
}

fn room_problem(error: &io::Error) -> Problem {
    Problem::failed(
        format!("{ROOM}: {error}"),
        "Is /run mounted and not full? `df /run` tells.",
    )
}

/// The last errors of a server that was starting, in one line: it had read no
/// row yet.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("[ERROR]"))
        .collect();
    let from = errors.len().saturating_sub(3);
    match errors.is_empty() {
        true => "it gives no reason".into(),
        false => errors[from..].join(" / "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_words_come_after_the_units_and_count() {
        let start = Start {
            user: &ServiceUser { uid: 1, gid: 1 },
            unit_arguments: &["--datadir=/x".into(), "--defaults-file=/etc/my.cnf".into()],
            paths: ServerPaths {
                name: "old",
                data: "/d".into(),
                temporary: "/t".into(),
                room: "/r".into(),
            },
            more: vec!["--read-only".into()],
        };
        let arguments = start.arguments();
        let at = |text: &str| arguments.iter().position(|word| word == text).unwrap();
        assert_eq!(at("--defaults-file=/etc/my.cnf"), 0);
        assert!(at("--datadir=/x") < at("--datadir=/d"));
        assert_eq!(at("--read-only"), arguments.len() - 1);
    }
}
