//! What MariaDB writes encrypted, told by its names. Beside it, in the same directory, it
//! writes in the clear what it tells people: the error log, the query logs.

use std::path::Path;

/// Files of InnoDB and Aria, wherever they are in the data directory.
const EXTENSIONS: [&str; 5] = ["ibd", "ibt", "isl", "MAD", "MAI"];
/// What their names begin with at its top.
const NAMES: [&str; 6] = ["ibdata", "ibtmp", "ib_logfile", "undo", "aria_log.", "#ib_"];

/// Whether a file of an encrypted data directory is a table, a tablespace, or one of the
/// server's own journals.
pub fn is_written_encrypted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    // Binary logs and relay logs are numbered.
    let is_numbered = extension.len() >= 6 && extension.bytes().all(|b| b.is_ascii_digit());
    is_numbered
        || EXTENSIONS.contains(&&*extension)
        || NAMES.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_journals_are_told_from_what_people_read() {
        let is = |name: &str| is_written_encrypted(&Path::new("/x").join(name));
        for name in [
            "ibdata1",
            "ib_logfile0",
            "undo001",
            "aria_log.00000001",
            "clinic/patient.ibd",
            "mysql/user.MAD",
            "binlog.000012",
        ] {
            assert!(is(name), "{name}");
        }
        for name in ["clinic.err", "mysql-slow.log", "clinic.log", "x.1", "ib"] {
            assert!(!is(name), "{name}");
        }
    }
}
