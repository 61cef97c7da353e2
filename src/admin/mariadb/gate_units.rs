//! The drop-ins that put the gate in front of every start.

use std::fs;
use std::io;
use std::path::Path;

use crate::admin::durable::{remove_durably, sync_directory, write_durably};
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

/// Until the next boot at the latest. The gate says so too, as long as it is there.
const IN_AN_ALARM: [&str; 2] = [
    "/run/systemd/system/mariadb.service.d/stayput-alarm.conf",
    "/run/systemd/system/mariadb@.service.d/stayput-alarm.conf",
];
const NO_START: &str = "\
# Written by `stayput mariadb disable --clear`, for as long as it works: an alarm, or a reset,
# lets no start begin.
[Unit]
AssertPathExists=!/run/stayput-no-start
";

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

/// Takes the gate away, and has an alarm hold the starts of MariaDB all the same until
/// [`let_start_in_an_alarm`].
///
/// # Errors
/// What the filesystem or systemd says.
pub fn take_gate_away_but_in_an_alarm() -> Result<()> {
    for path in IN_AN_ALARM {
        write_durably(Path::new(path), NO_START.as_bytes())
            .map_err(|error| Problem::of_file(path, &error))?;
    }
    // systemd reads both at once.
    take_gate_away()
}

/// A database that needs no key starts whatever becomes of the keys.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn let_start_in_an_alarm() -> Result<()> {
    for path in IN_AN_ALARM {
        remove_durably(Path::new(path)).map_err(|error| Problem::of_file(path, &error))?;
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
