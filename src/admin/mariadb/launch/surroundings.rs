//! What a unit sets around mariadbd: its user, its view of the filesystem, and
//! commands before it. Each rule exists because without it mariadbd would run on
//! other files, or would not find its keys. Pure.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::command_line::{Command, UnclearCommand};
use super::properties::{NoProperty, Properties};

/// One reason why what systemd would start is not what was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFault {
    /// The command cannot be expanded with certainty.
    Start {
        command: String,
        why: UnclearCommand,
    },
    /// This number of commands instead of one.
    Starts(usize),
    /// Something of the owner's runs before mariadbd while the data is open.
    Before(String),
    /// mariadbd would run as somebody else.
    User { found: String, name: &'static str },
    /// An option puts something else over a place that matters.
    Covered { option: &'static str, place: String },
    /// An option that changes what mariadbd sees as a whole.
    View(&'static str),
    /// systemd would not wait until mariadbd has read its keys.
    Type(String),
    /// A file of variables that is not one file, or cannot be read.
    Variables(String),
    /// systemd does not tell this.
    Unknown(&'static str),
}

/// Whom the unit's names mean; None where there is nobody of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsAs {
    /// The user's number.
    pub uid: Option<u32>,
    /// The group's number.
    pub gid: Option<u32>,
}

/// The options that put something else where mariadbd looks; each is a list
/// of rows, with the place in this field.
const MOUNTS: [(&str, usize); 4] = [
    ("BindPaths", 1),
    ("BindReadOnlyPaths", 1),
    ("TemporaryFileSystem", 0),
    ("MountImages", 1),
];

/// Options that give mariadbd a view of its own, or another user.
const VIEWS: [&str; 7] = [
    "RootDirectory",
    "RootImage",
    "RootEphemeral",
    "DynamicUser",
    "PrivateUsers",
    "PrivateUsersEx",
    "PAMName",
];

/// Programs that nobody starts a database with. Other commands of the owner's
/// belong into a unit of their own, which has no part in the open data.
const HARMLESS: [&str; 14] = [
    "[",
    "chmod",
    "chown",
    "echo",
    "install",
    "logger",
    "mkdir",
    "mountpoint",
    "sleep",
    "sync",
    "sysctl",
    "systemd-tmpfiles",
    "test",
    "touch",
];

/// What MariaDB's own units have run before mariadbd, with one blank between
/// words.
const PACKAGED: [&str; 5] = [
    "/bin/sh -c systemctl unset-environment _WSREP_START_POSITION",
    "/bin/sh -c [ ! -e /usr/bin/galera_recovery ] && VAR= || VAR=`/usr/bin/galera_recovery`; \
     [ $? -eq 0 ] && systemctl set-environment _WSREP_START_POSITION=$VAR || exit 1",
    "/bin/sh -c [ ! -e /usr/bin/galera_recovery ] && VAR= || VAR=`cd /usr/bin/..; \
     /usr/bin/galera_recovery`; [ $? -eq 0 ] && systemctl set-environment \
     _WSREP_START_POSITION=$VAR || exit 1",
    "/usr/bin/mariadb-install-db $MYSQLD_MULTI_INSTANCE --rpm",
    "/usr/bin/mysql_install_db $MYSQLD_MULTI_INSTANCE --rpm",
];

/// The gate itself, as the drop-in writes it, before and after it named its unit.
const GATE: &str = "/bin/sh -c /usr/bin/nsenter --target=1 --mount /usr/sbin/stayput mariadb gate ";
const AFTER_GATE: [&str; 2] = ["\"$0\" || exit 255 ", "|| exit 255"];

/// What the unit does around its command. `places` are the directories that
/// mariadbd must see as everybody does.
pub fn faults(
    unit: &Properties,
    paths: &[PathBuf],
    runs_as: RunsAs,
    keys_for: RunsAs,
) -> Vec<LaunchFault> {
    let parts = [
        user(unit, runs_as, keys_for),
        view(unit, paths),
        kind(unit),
        before(unit),
    ];
    let parts = parts.into_iter();
    parts
        .flat_map(|part| part.unwrap_or_else(|NoProperty(name)| vec![LaunchFault::Unknown(name)]))
        .collect()
}

type Part = Result<Vec<LaunchFault>, NoProperty>;

fn user(unit: &Properties, runs_as: RunsAs, keys_for: RunsAs) -> Part {
    let mut faults = Vec::new();
    for (name, ours, theirs) in [
        ("User", runs_as.uid, keys_for.uid),
        ("Group", runs_as.gid, keys_for.gid),
    ] {
        let found = match unit.text(name)? {
            "" if name == "User" => "root",
            found => found,
        };
        if ours.is_none() || ours != theirs {
            let found = found.to_owned();
            faults.push(LaunchFault::User { found, name });
        }
    }
    Ok(faults)
}

fn view(unit: &Properties, paths: &[PathBuf]) -> Part {
    let mut faults: Vec<LaunchFault> = VIEWS
        .into_iter()
        .filter(|option| unit.is_on(option))
        .map(LaunchFault::View)
        .collect();
    for list in ["ExtensionDirectories", "ExtensionImages"] {
        if unit.rows(list).is_ok_and(|rows| !rows.is_empty())
            || unit.texts(list).is_ok_and(|texts| !texts.is_empty())
        {
            faults.push(LaunchFault::View(list));
        }
    }
    let mut covered = |option, place: &str| {
        let place = plain(place);
        if paths.iter().any(|ours| overlaps(ours, &place)) {
            let place = place.display().to_string();
            faults.push(LaunchFault::Covered { option, place });
        }
    };
    for (option, field) in MOUNTS {
        for row in unit.rows(option)? {
            let place = row.get(field).and_then(|place| place.as_str());
            covered(option, place.ok_or(NoProperty(option))?);
        }
    }
    for path in unit.texts("InaccessiblePaths")? {
        covered("InaccessiblePaths", path);
    }
    // systemd hands it over at a start and empties it at a stop.
    for name in unit.texts("RuntimeDirectory")? {
        covered("RuntimeDirectory", &format!("/run/{name}"));
    }
    // `read-only` covers nothing.
    if ["yes", "tmpfs"].contains(&unit.text("ProtectHome")?) {
        for home in ["/home", "/root", "/run/user"] {
            covered("ProtectHome", home);
        }
    }
    if unit.is_on("PrivateTmp") || unit.is_on("PrivateTmpEx") {
        for tmp in ["/tmp", "/var/tmp"] {
            covered("PrivateTmp", tmp);
        }
    }
    Ok(faults)
}

/// mariadbd says itself when it is ready; until then nobody takes its keys.
fn kind(unit: &Properties) -> Part {
    let kind = unit.text("Type")?;
    let waits = ["notify", "notify-reload"].contains(&kind);
    Ok(match waits {
        true => Vec::new(),
        false => vec![LaunchFault::Type(kind.to_owned())],
    })
}

fn before(unit: &Properties) -> Part {
    let mut faults = Vec::new();
    for property in ["ExecConditionEx", "ExecStartPreEx"] {
        for command in unit.commands(property)? {
            if !is_known(&command) {
                faults.push(LaunchFault::Before(command.shown()));
            }
        }
    }
    Ok(faults)
}

fn is_known(command: &Command) -> bool {
    if command.argv.first() != Some(&command.path) {
        return false;
    }
    let line = command.argv.join(" ");
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let after = line.strip_prefix(GATE);
    let gate = after.is_some_and(|after| {
        let [with_unit, without] = AFTER_GATE;
        after == without
            || after
                .strip_prefix(with_unit)
                .is_some_and(|unit| !unit.contains(' '))
    });
    if gate || PACKAGED.contains(&line.as_str()) {
        return true;
    }
    let folders = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"];
    folders
        .iter()
        .filter_map(|folder| command.path.strip_prefix(folder))
        .any(|name| HARMLESS.contains(&name) || ["true", "false"].contains(&name))
}

/// The path without `.`, `..` and the signs that systemd allows before it.
fn plain(path: &str) -> PathBuf {
    let path = path.trim_start_matches(['-', '+']);
    let mut plain = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    plain
}

/// Whether the one hides the other or a part of it.
fn overlaps(ours: &Path, place: &Path) -> bool {
    ours.starts_with(place) || place.starts_with(ours)
}

impl fmt::Display for LaunchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { command, why } => {
                write!(
                    f,
                    "the unit's ExecStart ({command}) is not understood: {why}"
                )
            }
            Self::Starts(0) => write!(f, "the unit has no ExecStart"),
            Self::Starts(number) => write!(f, "the unit has {number} commands in ExecStart"),
            Self::Before(command) => write!(
                f,
                "the unit runs something of its own before mariadbd: {command}"
            ),
            Self::User { found, name } => {
                write!(
                    f,
                    "the unit has {name}={found}, to whom the keys do not belong"
                )
            }
            Self::Covered { option, place } => write!(
                f,
                "the unit's {option} puts something else over {place}, which MariaDB needs"
            ),
            Self::View(option) => {
                write!(f, "the unit's {option} gives MariaDB a view of its own")
            }
            Self::Type(kind) => write!(f, "the unit has Type={kind} instead of Type=notify"),
            Self::Variables(what) => write!(f, "the unit's EnvironmentFile is no use: {what}"),
            Self::Unknown(what) => write!(f, "systemd does not tell the unit's {what}"),
        }
    }
}

impl LaunchFault {
    /// What to do next, in one line.
    pub fn next(&self) -> String {
        match self {
            Self::Start { .. } | Self::Starts(_) => {
                "Remove ExecStart from your drop-in (`systemctl cat mariadb` shows it) and put \
                 options into /etc/mysql/mariadb.conf.d; NUMA, nice and CPU have options of the unit."
                    .into()
            }
            Self::Before(_) => {
                "Put it into a unit of its own with Before=mariadb.service, and remove it here: \
                 `systemctl cat mariadb` shows the file."
                    .into()
            }
            Self::Unknown(_) => "`systemctl status mariadb` tells more.".into(),
            _ => "Remove it: `systemctl cat mariadb` shows the file. Then `systemctl daemon-reload` \
                  and start MariaDB again."
                .into(),
        }
    }
}

#[cfg(test)]
mod tests;
