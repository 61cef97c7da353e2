//! The mark in memory that holds back every start of MariaDB: its units assert, before
//! anything else of a start, that there is none (systemd/mariadb-stayput.conf). It comes
//! before keys leave memory. A start in between would read the keys that are just going,
//! and a MariaDB without its keys loses rows. The next release takes it away.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

const MARK: &str = "/run/stayput-no-start";

/// No start of MariaDB begins from now on. One that is under way goes on.
///
/// # Errors
/// What the filesystem says.
pub fn forbid() -> io::Result<()> {
    File::create(MARK).map(drop)
}

/// Whether no start of MariaDB begins.
pub fn is_forbidden() -> bool {
    Path::new(MARK).exists()
}

/// MariaDB may be started again.
pub fn allow() {
    match fs::remove_file(MARK) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            log::warn!("{MARK} stays, and MariaDB does not start: {error}");
        }
        _ => {}
    }
}
