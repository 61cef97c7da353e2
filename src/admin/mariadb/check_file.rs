//! The check file: for each key of the database a value that tells whether it is
//! the right one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::problem::{Problem, Result};
use crate::release::mariadb::{CheckFile, CheckFileError};

/// The check file inside a data directory: by it the data is known as the one that was
/// encrypted with keys from here.
pub const MARK: &str = "stayput.check";
/// In a data directory of the last restore: which of its two databases that is.
pub const ROLE: &str = "stayput.restore";

/// Reads the mark of the data directory at `at`, which MariaDB sees at `seen`.
pub fn mark(at: &Path, seen: &Path) -> Option<CheckFile> {
    let check = CheckFile::parse(&fs::read(at.join(MARK)).ok()?).ok()?;
    (Path::new(check.data_directory()) == seen).then_some(check)
}

/// Reads the check file before a start of MariaDB.
///
/// # Errors
/// That MariaDB was not started, why, and what to do.
pub fn read_check_file() -> Result<CheckFile> {
    load_check_file().map_err(|(what, next)| not_started(what, next))
}

/// Reads the check file.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn load_check_file() -> std::result::Result<CheckFile, (String, &'static str)> {
    let bytes = match File::open(CHECK_FILE) {
        Ok(file) => read_bounded(file, CheckFile::MAX),
        Err(error) => Err(error),
    };
    let again = "If `stayput mariadb enable` was interrupted, run it again: it goes on or undoes.";
    let bytes = bytes.map_err(|error| (format!("{CHECK_FILE}: {error}"), again))?;
    CheckFile::parse(&bytes).map_err(|error| {
        let what = match error {
            CheckFileError::Version => "is not a check file of this version".into(),
            CheckFileError::Line(line) => format!("line {line} makes no sense"),
            CheckFileError::TooMany => "lists too many keys".into(),
            CheckFileError::NoFirstKey => "does not list key 1".into(),
            CheckFileError::Path => "names no usable data directory".into(),
        };
        let next = "Put it back from a copy of this server's system files.";
        (format!("{CHECK_FILE} {what}"), next)
    })
}

/// The refusal of a start. It says first what the reader wants to know: nothing
/// was touched.
pub fn not_started(what: impl Into<String>, next: impl Into<String>) -> Problem {
    Problem::refused(
        format!(
            "MariaDB was not started, and nothing of its data was touched: {}.",
            what.into()
        ),
        next,
    )
}

/// Reads a file of `max` bytes at most.
///
/// # Errors
/// What the filesystem says; also when it is longer.
pub fn read_bounded(file: File, max: usize) -> io::Result<Vec<u8>> {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Vec::with_capacity(max + 1);
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
