//! Whether a database depends on the keys that are released here. Everything that
//! knows is asked: any of it may be lost.

use std::io;
use std::path::{Path, PathBuf};

use crate::admin::mariadb::data_directory::{DataDirectory, holds_something};
use crate::admin::mariadb::gate_units::is_gate_in_front;
use crate::admin::mariadb::run_records::journal::Journal;
use crate::admin::mariadb::run_records::lost_journal::USUAL;
use crate::admin::mariadb::settings::{KeySource, SETTINGS_FILE, key_source};
use crate::admin::mariadb_service::CHECK_FILE;

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
    /// The vault gives MariaDB keys; `None` where it cannot be read.
    pub vault: Option<bool>,
}

impl Dependence {
    /// What is there now; `vault` is what the vault's policy says.
    pub fn seen(vault: Option<bool>) -> Self {
        let journal = Journal::read().ok().flatten();
        let named = journal.map(|journal| journal.data);
        let mut places = named.into_iter().chain([USUAL.into()]);
        Self {
            check_file: may_be_there(Path::new(CHECK_FILE)),
            data: places.find_map(|seen| {
                let real = DataDirectory::seen_at(&seen).real().to_owned();
                holds_something(&real).then_some(real)
            }),
            settings: key_source() == KeySource::Released,
            gate: is_gate_in_front(),
            vault,
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
}
