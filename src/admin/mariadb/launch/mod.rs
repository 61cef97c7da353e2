//! Forecasts what systemd will start for MariaDB.
//!
//! The settings files alone do not tell: a unit's command can name another
//! option file or data directory, and its other options can show mariadbd
//! other files or run it as another user. So the unit's own command is expanded as
//! systemd does it, and mariadbd is asked for its configuration with exactly these
//! arguments.

mod command_line;
pub mod probe;
mod properties;
mod surroundings;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::release::RELEASE_FOLDER;

use crate::admin::mariadb::config::Configuration;
use crate::admin::mariadb::environment::{Environment, FILE_MAX};
use crate::admin::mariadb::service_user::ServiceUser;
use properties::{NoProperty, Properties};
pub use surroundings::LaunchFault;
use surroundings::RunsAs;

/// MariaDB's unit; instances are named `mariadb@NAME.service`.
pub const UNIT: &str = "mariadb.service";

/// Paths that mariadbd must see as everybody does, besides its data.
const VISIBLE_PATHS: [&str; 5] = [
    RELEASE_FOLDER,
    "/etc/mysql",
    "/etc/my.cnf",
    "/usr/sbin/mariadbd",
    "/usr/lib/mysql",
];

/// A forecast start of MariaDB, and what stands against it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// mariadbd's arguments; `None` when they are not certain.
    arguments: Option<Vec<String>>,
    environment: Environment,
    /// Why MariaDB must not be started in this way; empty where nothing is wrong.
    pub faults: Vec<LaunchFault>,
}

/// Where the environment of the start is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentSource {
    /// This process is one of the unit's commands and has its environment.
    ByUnit,
    /// Nothing is started now; the environment is put together as systemd does.
    ByHand,
}

impl Launch {
    /// Forecasts a start of the unit by asking systemd. `data` are the data
    /// directory as MariaDB sees it and where it really lies.
    ///
    /// # Errors
    /// When systemd does not tell, or has no such unit.
    pub fn of(
        unit: &str,
        asked: EnvironmentSource,
        user: &ServiceUser,
        data: &[&Path],
    ) -> Result<Self> {
        let properties = Properties::of_unit(unit)?;
        let state = properties.text("LoadState").unwrap_or("not known");
        if state != "loaded" {
            return Err(Problem::failed(
                format!("The unit {unit} is {state}, so nothing can be told of a start."),
                format!(
                    "`systemctl status {unit}` tells more; `systemctl unmask {unit}` if it is masked."
                ),
            ));
        }
        let account = properties.text("User").ok().and_then(Account::named);
        let mut faults = Vec::new();
        let environment = match asked {
            EnvironmentSource::ByUnit => Environment::of_this_process(),
            EnvironmentSource::ByHand => environment_of(&properties, account.as_ref())
                .unwrap_or_else(|fault| {
                    faults.push(fault);
                    Environment::default()
                }),
        };
        let paths: Vec<PathBuf> = VISIBLE_PATHS
            .iter()
            .map(PathBuf::from)
            .chain(data.iter().map(PathBuf::from))
            .collect();
        let group = match properties.text("Group") {
            Ok("") => account.as_ref().map(|account| account.gid),
            Ok(name) => group_id(name),
            Err(_) => None,
        };
        let runs_as = RunsAs {
            uid: account.as_ref().map(|account| account.uid),
            gid: group,
        };
        let keys_for = RunsAs {
            uid: Some(user.uid),
            gid: Some(user.gid),
        };
        faults.extend(surroundings::faults(&properties, &paths, runs_as, keys_for));
        let arguments = start(&properties, &environment);
        Ok(Self {
            arguments: arguments.as_ref().ok().cloned(),
            environment,
            faults: arguments.err().into_iter().chain(faults).collect(),
        })
    }

    /// Asks mariadbd for its configuration in this start; `None` when its
    /// arguments are not certain, which is one of the faults.
    ///
    /// # Errors
    /// When mariadbd does not accept them; with its own words.
    pub fn configuration(&self, user: &ServiceUser) -> Result<Option<Configuration>> {
        let arguments = self.arguments.as_ref();
        arguments
            .map(|arguments| user.configuration_with(arguments, &self.environment))
            .transpose()
    }
}

/// How systemd would start MariaDB now.
pub struct StartCommand {
    /// mariadbd's arguments, those of the unit's variables (MYSQLD_OPTS) included.
    pub arguments: Vec<String>,
    /// The configuration that results from them and the option files.
    pub config: Configuration,
}

/// Asks systemd and mariadbd how MariaDB would be started now.
///
/// # Errors
/// When the unit starts something else or is not understood, and when mariadbd
/// does not accept its settings.
pub fn unit_start_command(user: &ServiceUser) -> Result<StartCommand> {
    let launch = Launch::of(UNIT, EnvironmentSource::ByHand, user, &[])?;
    if let Some(fault) = launch.faults.first() {
        return Err(Problem::refused(
            format!("MariaDB cannot be looked after as it is started here: {fault}."),
            fault.next(),
        ));
    }
    let arguments = launch.arguments.unwrap_or_default();
    let config = user.configuration_with(&arguments, &launch.environment)?;
    Ok(StartCommand { arguments, config })
}

/// The unit of MariaDB that this process is a command of.
pub fn own_unit() -> Option<String> {
    unit_in(&read_bounded(Path::new("/proc/self/cgroup")).ok()?)
}

/// The last part of systemd's own cgroup, in the list of a process's cgroups.
fn unit_in(cgroups: &str) -> Option<String> {
    let path = cgroups.lines().find_map(|line| {
        line.strip_prefix("0::")
            .or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
            .filter(|path| path.ends_with(".service"))
    })?;
    let unit = path.rsplit('/').next()?;
    (unit == UNIT || unit.starts_with("mariadb@")).then(|| unit.to_owned())
}

/// The arguments of the unit's one command.
fn start(
    properties: &Properties,
    environment: &Environment,
) -> std::result::Result<Vec<String>, LaunchFault> {
    let commands = properties
        .commands("ExecStartEx")
        .map_err(|NoProperty(name)| LaunchFault::Unknown(name))?;
    let [command] = commands.as_slice() else {
        return Err(LaunchFault::Starts(commands.len()));
    };
    command_line::expand(command, environment).map_err(|why| LaunchFault::Start {
        command: command.shown(),
        why,
    })
}

/// In systemd's order (systemd.exec(5), "Environment Variables in Spawned
/// Processes"): its own, the user's, the unit's, its files'.
fn environment_of(
    unit: &Properties,
    account: Option<&Account>,
) -> std::result::Result<Environment, LaunchFault> {
    let unknown = |NoProperty(name)| LaunchFault::Unknown(name);
    let systemd = Properties::of_systemd().map_err(|_| LaunchFault::Unknown("environment"))?;
    let mut environment = Environment::default();
    environment.extend(systemd.texts("Environment").map_err(unknown)?);
    if let Some(account) = account {
        environment.set("HOME", &account.home);
    }
    environment.extend(unit.texts("Environment").map_err(unknown)?);
    for row in unit.rows("EnvironmentFiles").map_err(unknown)? {
        let path = row.first().and_then(|path| path.as_str());
        let optional = row.get(1).and_then(serde_json::Value::as_bool);
        let (Some(path), Some(optional)) = (path, optional) else {
            return Err(LaunchFault::Unknown("EnvironmentFiles"));
        };
        if path.contains(['*', '?', '[']) {
            return Err(LaunchFault::Variables(format!("{path} is a pattern")));
        }
        match read_bounded(Path::new(path)) {
            Ok(text) => environment.read_file(&text),
            Err(_) if optional => {}
            Err(error) => return Err(LaunchFault::Variables(format!("{path}: {error}"))),
        }
    }
    for name in unit.texts("UnsetEnvironment").map_err(unknown)? {
        environment.unset(name);
    }
    Ok(environment)
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    file.take(FILE_MAX as u64 + 1).read_to_string(&mut text)?;
    if text.len() > FILE_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// A line of the system's list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
    home: String,
}

impl Account {
    /// The user that a unit's `User=` means: none is root.
    fn named(name: &str) -> Option<Self> {
        let name = if name.is_empty() { "root" } else { name };
        Self::parse(&getent("passwd", name)?)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().split(':').skip(2);
        Some(Self {
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
            home: fields.nth(1)?.to_owned(),
        })
    }
}

fn group_id(name: &str) -> Option<u32> {
    getent("group", name)?
        .trim_end()
        .split(':')
        .nth(2)?
        .parse()
        .ok()
}

fn getent(database: &str, name: &str) -> Option<String> {
    let mut ask = Program::new("/usr/bin/getent");
    program::run(ask.args([database, "--", name]), "").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_the_unit_knows_its_unit_by_its_cgroup() {
        for (text, unit) in [
            (
                "0::/system.slice/mariadb.service\n",
                Some("mariadb.service"),
            ),
            (
                "0::/system.slice/system-mariadb.slice/mariadb@a.service\n",
                Some("mariadb@a.service"),
            ),
            (
                "1:name=systemd:/system.slice/mariadb.service\n0::/\n",
                Some("mariadb.service"),
            ),
            ("0::/user.slice/user-0.slice/session-1.scope\n", None),
            ("0::/system.slice/stayput-enable.service\n", None),
            ("", None),
        ] {
            assert_eq!(unit_in(text).as_deref(), unit, "{text}");
        }
    }

    #[test]
    fn a_line_of_passwd_gives_ids_and_home() {
        let line = "mysql:x:104:111:MariaDB Server,,,:/nonexistent:/bin/false\n";
        let account = Account::parse(line).unwrap();
        assert_eq!((account.uid, account.gid), (104, 111));
        assert_eq!(account.home, "/nonexistent");
        assert_eq!(Account::parse("mysql:x:104"), None);
        assert_eq!(Account::parse(""), None);
    }
}
