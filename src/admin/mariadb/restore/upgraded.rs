//! The note that mariadb-upgrade(1) leaves in a data directory, and that no backup has.
//!
//! Without it Debian's start of MariaDB runs that program, which writes the system tables
//! anew while the database is served already, and flushes none of them: a power cut in these
//! seconds leaves tables that no MariaDB reads any more (error 130).

use std::path::Path;

use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::version::{Version, of_mariadbd};
use crate::admin::problem::Result;

use super::make::write_anew;

/// As MariaDB up to 10.11 calls it, and later ones.
const NOTES: [&str; 2] = ["mysql_upgrade_info", "mariadb_upgrade_info"];

/// Writes it where the backup was made by the very version that is installed here: it has
/// nothing to be upgraded.
///
/// # Errors
/// When mariadbd does not say its version, or the filesystem takes nothing.
pub fn note(data: &Path, of_backup: &str) -> Result<()> {
    let Some(text) = text(of_backup, &of_mariadbd()?) else {
        return Ok(());
    };
    for name in NOTES {
        write_anew(data, name, text.as_bytes()).map_err(paths::problem)?;
    }
    Ok(())
}

/// The version as the program writes it (MYSQL_SERVER_VERSION in client/mysql_upgrade.c).
fn text(of_backup: &str, here: &str) -> Option<String> {
    let same = Version::parse(of_backup).filter(|version| Version::parse(here) == Some(*version));
    same.map(|Version(major, minor, patch)| format!("{major}.{minor}.{patch}-MariaDB\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_upgraded_where_the_same_version_made_the_backup() {
        let here = "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64";
        let said = |of_backup| text(of_backup, here);
        let same = said("10.11.19-MariaDB-0+deb12u1-log");
        assert_eq!(same.as_deref(), Some("10.11.19-MariaDB\n"));
        assert_eq!(said("10.11.18-MariaDB-0+deb12u1"), None);
        assert_eq!(said("11.8.9-MariaDB"), None);
        assert_eq!(said("?"), None);
    }
}
