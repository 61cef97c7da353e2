//! MariaDB's programs and the user that they run as.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::admin::{Problem, Result};

use super::config::{Configuration, TEXT_MAX};

pub const MARIADBD: &str = "/usr/sbin/mariadbd";

/// The process of a mariadbd that works in this directory.
pub fn working_in(directory: &Path) -> Option<u32> {
    let place = |path: &Path| fs::metadata(path).map(|at| (at.dev(), at.ino())).ok();
    let wanted = place(directory)?;
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        let server = ["mariadbd", "mysqld"].contains(&name.trim());
        (server && place(&process.path().join("cwd")) == Some(wanted)).then_some(pid)
    })
}

/// The user `mysql`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceUser {
    pub uid: u32,
    pub gid: u32,
}

impl ServiceUser {
    /// # Errors
    /// When there is no such user: MariaDB is not installed.
    pub fn find() -> Result<Self> {
        let number = |option: &str| -> Option<u32> {
            let output = Command::new("/usr/bin/id")
                .args([option, "mysql"])
                .output()
                .ok()?;
            str::from_utf8(&output.stdout).ok()?.trim().parse().ok()
        };
        let user = number("-u").zip(number("-g"));
        user.map(|(uid, gid)| Self { uid, gid }).ok_or_else(|| {
            Problem::failed(
                "There is no user mysql on this server.",
                "Install MariaDB first: `apt-get install mariadb-server`.",
            )
        })
    }

    /// Whether this user gets at a file, through every directory above it.
    pub fn may_read(&self, path: &Path) -> bool {
        Command::new("/usr/bin/test")
            .arg("-r")
            .arg(path)
            .uid(self.uid)
            .gid(self.gid)
            .stdin(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// The configuration in force with these arguments. mariadbd is asked as
    /// the user that it runs as, because it skips option files that it may
    /// not read.
    ///
    /// # Errors
    /// When mariadbd does not accept its settings; with its own words.
    pub fn configuration(&self, words: &[String]) -> Result<Configuration> {
        let (defaults, others): (Vec<String>, Vec<String>) = words
            .iter()
            .cloned()
            .partition(|word| word.starts_with("--defaults") || word == "--no-defaults");
        let help = self.text_of(
            Command::new(MARIADBD)
                .args(&defaults)
                .args(&others)
                .args(["--verbose", "--help"]),
        )?;
        let printed = self.text_of(
            Command::new("/usr/bin/my_print_defaults")
                .args(&defaults)
                .arg("--mysqld"),
        )?;
        let arguments = printed.lines().map(str::to_owned).chain(others).collect();
        Configuration::parse(&help, arguments).map_err(|_| {
            Problem::failed(
                "mariadbd does not print its settings",
                format!("Run `{MARIADBD} --verbose --help` and look at the first lines."),
            )
        })
    }

    fn text_of(&self, command: &mut Command) -> Result<String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = command
            .uid(self.uid)
            .gid(self.gid)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                Problem::failed(
                    format!("{name} cannot be run: {error}"),
                    "Is the package mariadb-server installed whole? `dpkg --audit` tells.",
                )
            })?;
        if !output.status.success() || output.stdout.len() > TEXT_MAX {
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text
                .lines()
                .find(|line| line.contains("ERROR") || line.contains("error"))
                .unwrap_or("it gives no reason");
            return Err(Problem::failed(
                format!("{name} does not accept its settings: {line}"),
                "Undo the last change in /etc/mysql.",
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
