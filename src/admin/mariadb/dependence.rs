//! Whether a database depends on the keys that are released here. Everything that
//! knows is asked: any of it may be lost.

use std::io;
use std::path::{Path, PathBuf};

use crate::admin::mariadb::data_directory::{DataDirectory, holds_something};
use crate::admin::mariadb::gate_units::is_gate_in_front;
use crate::admin::mariadb::launch::UNIT;
use crate::admin::mariadb::process::{NotServing, main_process, process_serves};
use crate::admin::mariadb::run_records::{data_places, usual_places};
use crate::admin::mariadb::settings::{KeySource, SETTINGS_FILE, key_source};
use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::systemd;

/// What is there of an encrypted database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependence {
    /// The check file is there, or that cannot be told.
    pub check_file: bool,
    /// The directory where only an encrypted database lies holds something.
    pub data: Option<PathBuf>,
    /// MariaDB's settings name the keys from here, or that cannot be told.
    pub settings: bool,
    /// The gate is in front of MariaDB.
    pub gate: bool,
    /// MariaDB's unit runs, and does not serve from that directory.
    pub elsewhere: bool,
    /// The vault gives MariaDB keys; `None` where it cannot be read.
    pub vault: Option<bool>,
}

/// What MariaDB has of the keys from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySupply {
    /// Nothing of this server's has anything to do with them.
    None,
    /// The vault gives them, and nothing takes them.
    Unused,
    /// The database is encrypted with them, and nothing is missing.
    Whole,
    /// What is missing, in words.
    Broken(Vec<String>),
}

impl Dependence {
    /// What is there now; `vault` is what the vault's policy says.
    pub fn seen(vault: Option<bool>) -> Self {
        let places = data_places().unwrap_or_else(|_| usual_places().into());
        let data = places.iter().find_map(|seen| {
            let real = DataDirectory::seen_at(seen).real().to_owned();
            holds_something(&real).then_some(real)
        });
        let pid = data.as_ref().and_then(|_| main_process(UNIT));
        Self {
            check_file: may_be_there(Path::new(CHECK_FILE)),
            elsewhere: data.as_ref().zip(pid).is_some_and(|(data, pid)| {
                // One that is still starting has not gone there yet.
                let serves = process_serves(pid, data);
                matches!(serves, Err(NotServing::Elsewhere(_))) && systemd::is_active(UNIT)
            }),
            data,
            settings: key_source() == KeySource::Released,
            gate: is_gate_in_front(),
            vault,
        }
    }

    /// What MariaDB has of the keys from here, by everything that it needs of them. Pure.
    pub fn supply(&self) -> KeySupply {
        let parts = [
            (
                self.check_file,
                format!("the check values of its keys ({CHECK_FILE})"),
            ),
            (
                self.data.is_some(),
                "the directory of its encrypted data".into(),
            ),
            (self.settings, format!("its settings ({SETTINGS_FILE})")),
            (self.gate, "the gate in front of it".into()),
        ];
        let gives = self.vault != Some(false);
        if parts.iter().all(|(is_there, _)| !is_there) {
            return match self.vault {
                Some(true) => KeySupply::Unused,
                _ => KeySupply::None,
            };
        }
        let missing = parts.into_iter().filter(|(is_there, _)| !is_there);
        let mut missing: Vec<String> = missing
            .map(|(_, what)| format!("{what} is missing"))
            .collect();
        if !gives {
            missing.push("the vault gives it no keys".into());
        }
        if self.elsewhere {
            missing.push("MariaDB works in other files".into());
        }
        match missing.is_empty() {
            true => KeySupply::Whole,
            false => KeySupply::Broken(missing),
        }
    }

    /// Why a database may depend on the keys; `None` where none does. The vault keeps
    /// the keys of a database that its owner has taken back into the clear, which has
    /// no gate any more.
    pub fn why(&self) -> Option<String> {
        match self {
            Self {
                check_file: true, ..
            } => Some("MariaDB is encrypted with keys that only the boot stage releases.".into()),
            Self {
                data: Some(data), ..
            } => Some(format!(
                "{} holds a database that is encrypted with keys from here; only its check file \
                 ({CHECK_FILE}) is lost.",
                data.display()
            )),
            Self { settings: true, .. } => Some(format!(
                "{SETTINGS_FILE} has MariaDB encrypt with keys from here."
            )),
            Self {
                gate: true,
                vault: Some(true),
                ..
            } => Some("The vault gives MariaDB its keys, and the gate is in front of it.".into()),
            Self {
                gate: true,
                vault: None,
                ..
            } => Some(
                "The gate is in front of MariaDB, and the vault, which knows whether the database \
                 is encrypted, cannot be read."
                    .into(),
            ),
            _ => None,
        }
    }
}

/// Whether a file is there. What cannot be told counts as there.
fn may_be_there(path: &Path) -> bool {
    let at = path.symlink_metadata();
    !at.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Dependence = Dependence {
        check_file: false,
        data: None,
        settings: false,
        gate: false,
        elsewhere: false,
        vault: Some(false),
    };

    #[test]
    fn lost_check_file_hides_no_encrypted_database() {
        for (vault, gate, expected) in [
            (Some(true), true, true),
            (None, true, true),
            (Some(false), true, false),
            // Taken back into the clear by its owner.
            (Some(true), false, false),
            (None, false, false),
        ] {
            let seen = Dependence {
                vault,
                gate,
                ..NOTHING
            };
            assert_eq!(seen.why().is_some(), expected, "{seen:?}");
        }
        let data = Dependence {
            data: Some("/var/lib/stayput/mariadb".into()),
            ..NOTHING
        };
        let why = data.why().unwrap();
        assert!(why.contains("/var/lib/stayput/mariadb"), "{why}");
        let settings = Dependence {
            settings: true,
            ..NOTHING
        };
        assert!(settings.why().is_some());
    }

    #[test]
    fn a_server_without_an_encrypted_database_may_be_left() {
        assert_eq!(NOTHING.why(), None);
    }

    #[test]
    fn keys_come_from_here_only_where_all_that_takes_them_is_there() {
        let whole = Dependence {
            check_file: true,
            data: Some("/var/lib/stayput/mariadb".into()),
            settings: true,
            gate: true,
            elsewhere: false,
            vault: Some(true),
        };
        assert_eq!(whole.supply(), KeySupply::Whole);
        // The place does not open, and the disk tells.
        let locked = Dependence {
            vault: None,
            ..whole.clone()
        };
        assert_eq!(locked.supply(), KeySupply::Whole);
        type Spoil = fn(&mut Dependence);
        let spoilt: [(Spoil, &str); 6] = [
            (|seen| seen.check_file = false, "check values"),
            (|seen| seen.data = None, "data"),
            (|seen| seen.settings = false, "settings"),
            (|seen| seen.gate = false, "gate"),
            (|seen| seen.elsewhere = true, "other files"),
            (|seen| seen.vault = Some(false), "vault"),
        ];
        for (spoil, word) in spoilt {
            let mut seen = whole.clone();
            spoil(&mut seen);
            match seen.supply() {
                KeySupply::Broken(why) if why.len() == 1 => {
                    assert!(why[0].contains(word), "{why:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn vault_whose_keys_nobody_takes_says_nothing_of_the_database() {
        let gives = Dependence {
            vault: Some(true),
            ..NOTHING
        };
        assert_eq!(gives.supply(), KeySupply::Unused);
        assert_eq!(NOTHING.supply(), KeySupply::None);
        let unknown = Dependence {
            vault: None,
            ..NOTHING
        };
        assert_eq!(unknown.supply(), KeySupply::None);
    }
}
