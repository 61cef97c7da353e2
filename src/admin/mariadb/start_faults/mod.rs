//! May mariadbd start? A pure decision over what the gate has gathered.
//!
//! Every rule is here because a start against it was seen to destroy
//! committed rows after a power cut, or because it would write rows in clear.

use std::fmt;

use crate::release::mariadb::{CheckFile, KeyFault, ReleasedKey};

use crate::admin::mariadb::config::Configuration;
use crate::admin::mariadb::launch::LaunchFault;
use crate::admin::mariadb::settings::{KEY_FILE, SETTINGS, SETTINGS_FILE};

/// One reason why mariadbd must not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFault {
    Key(KeyFault),
    PluginAbsent,
    /// The plugin may be switched off or fail to start without stopping
    /// mariadbd; holds the state found.
    PluginOptional(String),
    /// MariaDB would take the key file for an encrypted one.
    KeyFileEncrypted,
    Setting {
        name: &'static str,
        found: Option<String>,
        demanded: &'static str,
    },
    DataDirectory {
        found: String,
        enrolled: String,
    },
    /// A part of the data that lies elsewhere and is not closed while locked.
    Elsewhere {
        name: &'static str,
        found: String,
    },
    /// New tables would use a key id that was never released.
    DefaultKey(String),
    /// The server is part of a Galera cluster, which replaces data directories.
    Cluster,
    /// What the unit does, beside the settings.
    Launch(LaunchFault),
}

/// The directories of InnoDB and Aria that follow the data directory unless
/// they are set.
pub const DIRECTORIES: [&str; 4] = [
    "innodb-data-home-dir",
    "innodb-log-group-home-dir",
    "innodb-undo-directory",
    "aria-log-dir-path",
];

/// Everything that stands against a start; empty when nothing does.
pub fn settings_faults(
    config: &Configuration,
    check: &CheckFile,
    keys: &[ReleasedKey],
) -> Vec<StartFault> {
    let mut faults: Vec<StartFault> = check
        .verify(keys)
        .err()
        .map(StartFault::Key)
        .into_iter()
        .collect();
    faults.extend(plugin(config));
    let absent = faults.contains(&StartFault::PluginAbsent);
    faults.extend(SETTINGS.iter().filter_map(|setting| {
        // An absent plugin has no settings: that was said.
        let moot = absent && setting.name.starts_with("file_key_management");
        let demanded = setting.demanded.filter(|_| !moot)?;
        let found = config.value(&setting.name.replace('_', "-"));
        (found != Some(demanded)).then(|| StartFault::Setting {
            name: setting.name,
            found: found.map(str::to_owned),
            demanded: setting.value,
        })
    }));
    faults.extend(path_faults(config, check));
    if let Some(id) = config.value("innodb-default-encryption-key-id") {
        let released = keys.iter().any(|key| key.id.to_string() == id);
        if !released {
            faults.push(StartFault::DefaultKey(id.to_owned()));
        }
    }
    if config.value("wsrep-on") == Some("TRUE") {
        faults.push(StartFault::Cluster);
    }
    faults
}

fn plugin(config: &Configuration) -> Vec<StartFault> {
    if !config.knows("file-key-management-encryption-algorithm") {
        return vec![StartFault::PluginAbsent];
    }
    let mut faults = Vec::new();
    let state = config.argument("file-key-management").unwrap_or("ON");
    // mariadbd lists the state only of a plugin that may be switched off.
    let optional = config.knows("file-key-management");
    if optional || !state.eq_ignore_ascii_case("FORCE_PLUS_PERMANENT") {
        faults.push(StartFault::PluginOptional(state.to_owned()));
    }
    let encrypted = config.value("file-key-management-filekey");
    if encrypted.is_some_and(|path| !path.is_empty()) {
        faults.push(StartFault::KeyFileEncrypted);
    }
    faults
}

fn path_faults(config: &Configuration, check: &CheckFile) -> Vec<StartFault> {
    let mut faults = Vec::new();
    let bare = |path: &str| path.trim_end_matches('/').to_owned();
    let found = config.data_directory().to_string_lossy().into_owned();
    if found != check.data_directory() {
        faults.push(StartFault::DataDirectory {
            found,
            enrolled: check.data_directory().to_owned(),
        });
    }
    for name in DIRECTORIES {
        let Some(found) = config.value(name).map(bare) else {
            continue;
        };
        let inside = ["", "."].contains(&&*found) || found == check.data_directory();
        if !inside {
            faults.push(StartFault::Elsewhere { name, found });
        }
    }
    // Files of the system tablespace may be given with their paths.
    let files = config.value("innodb-data-file-path").unwrap_or_default();
    if files.contains('/') {
        faults.push(StartFault::Elsewhere {
            name: "innodb-data-file-path",
            found: files.to_owned(),
        });
    }
    faults
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(KeyFault::Missing(id)) => write!(f, "key {id} is missing in {KEY_FILE}"),
            Self::Key(KeyFault::Wrong(id)) => {
                write!(f, "key {id} in {KEY_FILE} is not the key of this database")
            }
            Self::Key(KeyFault::Unknown(id)) => {
                write!(
                    f,
                    "key {id} in {KEY_FILE} was never released for this database"
                )
            }
            Self::PluginAbsent => {
                write!(
                    f,
                    "MariaDB's settings do not load the plugin file_key_management"
                )
            }
            Self::PluginOptional(state) => write!(
                f,
                "the plugin file_key_management is set to {state} instead of FORCE_PLUS_PERMANENT"
            ),
            Self::KeyFileEncrypted => write!(f, "file_key_management_filekey is set"),
            Self::Setting {
                name,
                found: Some(found),
                demanded,
            } => write!(f, "{name} is {found} instead of {demanded}"),
            Self::Setting { name, demanded, .. } => {
                write!(f, "{name} is not set; it must be {demanded}")
            }
            Self::DataDirectory { found, enrolled } => {
                write!(
                    f,
                    "the data directory is {found}, but {enrolled} was enrolled"
                )
            }
            Self::Elsewhere { name, found } => {
                write!(f, "{name} is {found}, outside the data directory")
            }
            Self::DefaultKey(id) => write!(
                f,
                "innodb_default_encryption_key_id is {id}, a key that was never released"
            ),
            Self::Cluster => write!(f, "wsrep_on is set: a Galera cluster is not supported"),
            Self::Launch(fault) => fault.fmt(f),
        }
    }
}

impl StartFault {
    /// What to do next, in one line.
    pub fn next(&self) -> String {
        match self {
            Self::Key(_) => "Restart the server and let stayput release the keys again; \
                             if it halts at its prompt, plug in the backup stick."
                .into(),
            Self::DataDirectory { .. } | Self::Elsewhere { .. } => {
                "Put the path back as it was, or remove the option: \
                 `my_print_defaults --mysqld` shows every option in force."
                    .into()
            }
            Self::Launch(fault) => fault.next(),
            Self::Cluster => "Set wsrep_on = OFF in /etc/mysql.".into(),
            _ => format!(
                "Put {SETTINGS_FILE} back and look for an option that overrides it: \
                 `my_print_defaults --mysqld` shows every option in force."
            ),
        }
    }
}

#[cfg(test)]
mod tests;
