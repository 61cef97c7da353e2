//! The drop-ins that put the gate in front of every start.

use std::fs;
use std::io;
use std::path::Path;

use crate::admin::durable::{sync_directory, write_durably};
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{self, reload};

const DROP_IN: &str = include_str!("../../../systemd/mariadb-stayput.conf");
const CLOSED: &str = include_str!("../../../systemd/stayput-mariadb-closed.service");
/// The unit that closes the data directory at every start of the system.
pub const CLOSED_UNIT: &str = "stayput-mariadb-closed.service";

const FILES: [(&str, &str); 3] = [
    (
        "/etc/systemd/system/mariadb.service.d/stayput.conf",
        DROP_IN,
    ),
    (
        "/etc/systemd/system/mariadb@.service.d/stayput.conf",
        DROP_IN,
    ),
    ("/etc/systemd/system/stayput-mariadb-closed.service", CLOSED),
];

/// Puts the gate in front of MariaDB. It refuses every start until a database is
/// enrolled.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn put_gate_in_front() -> Result<()> {
    for (path, text) in FILES {
        write_durably(Path::new(path), text.as_bytes())
            .map_err(|error| Problem::of_file(path, &error))?;
    }
    reload()?;
    systemctl(&["enable", CLOSED_UNIT])
}

/// Undoes [`put_gate_in_front`].
///
/// # Errors
/// What the filesystem or systemd says.
pub fn take_gate_away() -> Result<()> {
    if Path::new(FILES[2].0).exists() {
        systemctl(&["disable", CLOSED_UNIT])?;
    }
    for (path, _) in FILES {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Problem::of_file(path, &error));
            }
            Err(_) => {}
            // Back after a power cut, it would close a server that has no keys.
            Ok(()) => sync_directory(Path::new(path)).map_err(|e| Problem::of_file(path, &e))?,
        }
    }
    reload()
}

/// Whether a file of the gate is there, or that cannot be told.
pub fn is_gate_in_front() -> bool {
    FILES.iter().any(|(path, _)| {
        let at = Path::new(path).symlink_metadata();
        !at.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    })
}

/// The gate's files that are missing or differ from what [`put_gate_in_front`]
/// writes.
pub fn not_as_written() -> Vec<&'static str> {
    let files = FILES.iter();
    let files =
        files.filter(|(path, text)| !fs::read(path).is_ok_and(|there| there == text.as_bytes()));
    files.map(|(path, _)| *path).collect()
}

fn systemctl(arguments: &[&str]) -> Result<()> {
    systemd::systemctl(arguments, "`journalctl -u mariadb -n 20` shows why.")
}
