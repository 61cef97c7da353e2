//! MariaDB's user, and MariaDB's programs run as that user.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::admin::problem::{Problem, Result};

use crate::admin::mariadb::config::{Configuration, TEXT_MAX};
use crate::admin::mariadb::environment::Environment;

/// The server.
pub const MARIADBD: &str = "/usr/sbin/mariadbd";
/// What prints the options that stand in option files.
pub const PRINT_DEFAULTS: &str = "/usr/bin/my_print_defaults";

/// The user `mysql`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceUser {
    /// The user's number.
    pub uid: u32,
    /// The number of its group.
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

    /// Whether this user may read a file, and enter every directory above it.
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

    /// Asks mariadbd for its configuration with these arguments and this process's
    /// environment.
    ///
    /// # Errors
    /// When mariadbd does not accept its settings; with its own words.
    pub fn configuration(&self, arguments: &[String]) -> Result<Configuration> {
        self.configuration_with(arguments, &Environment::of_this_process())
    }

    /// Asks mariadbd for its configuration with exactly these arguments. It is
    /// asked as the user that it runs as, because it skips option files that it may
    /// not read.
    ///
    /// # Errors
    /// When mariadbd does not accept its settings; with its own words.
    pub fn configuration_with(
        &self,
        arguments: &[String],
        environment: &Environment,
    ) -> Result<Configuration> {
        let ask: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let help = [ask.as_slice(), &["--verbose", "--help"]].concat();
        let help = self.printed(MARIADBD, &help, environment)?;
        let first = leading(arguments);
        let print = [first.as_slice(), &["--mysqld"]].concat();
        let printed = self.printed(PRINT_DEFAULTS, &print, environment)?;
        let others = arguments.iter().skip(first.len()).cloned();
        let arguments = printed.lines().map(str::to_owned).chain(others).collect();
        Configuration::parse(&help, arguments).map_err(|_| {
            Problem::failed(
                "mariadbd does not print its settings",
                format!("Run `{MARIADBD} --verbose --help` and look at the first lines."),
            )
        })
    }

    /// Runs a program as this user for at most a minute and returns what it
    /// prints.
    ///
    /// # Errors
    /// When it fails; with its own words.
    pub fn printed(
        &self,
        program: &str,
        arguments: &[&str],
        environment: &Environment,
    ) -> Result<String> {
        let mut command = Command::new("/usr/bin/timeout");
        command
            .args(["--kill-after=5", "60", "/usr/bin/setpriv"])
            .arg(format!("--reuid={}", self.uid))
            .arg(format!("--regid={}", self.gid))
            .args(["--init-groups", "--", program])
            .args(arguments);
        let output = environment
            .give(&mut command)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                Problem::failed(
                    format!("{program} cannot be run: {error}"),
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
                format!("{program} does not accept its settings: {line}"),
                "Undo the last change in /etc/mysql or in MariaDB's unit.",
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The leading arguments that choose mariadbd's option files. It takes them only
/// before all others.
pub fn leading(arguments: &[String]) -> Vec<&str> {
    const OPTIONS: [&str; 3] = [
        "--defaults-file=",
        "--defaults-extra-file=",
        "--defaults-group-suffix=",
    ];
    if let Some(first) = arguments.first().filter(|first| *first == "--no-defaults") {
        return vec![first];
    }
    let arguments = arguments.iter().map(String::as_str);
    arguments
        .take_while(|word| OPTIONS.iter().any(|option| word.starts_with(option)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leading_words_say_which_files_are_read() {
        for (arguments, expected) in [
            ("--datadir=/x --defaults-file=/y", ""),
            ("--no-defaults --defaults-file=/y", "--no-defaults"),
            (
                "--defaults-group-suffix=.a --defaults-file=/y --port=1",
                "--defaults-group-suffix=.a --defaults-file=/y",
            ),
        ] {
            let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
            assert_eq!(leading(&arguments).join(" "), expected);
        }
    }
}
