//! What other commands ask: whether the database is out of the gate, and which key files
//! of it lie on a disk.

use std::path::PathBuf;
use std::time::Duration;

use crate::admin::child_work::ChildWork;
use crate::admin::mariadb::gate_units::is_gate_in_front;
use crate::admin::mariadb::run_records::journal as conversion;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::settings::own_key_file;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::problem::{Problem, Result};

use super::journal::Journal;

/// Whether a move was begun and has not ended; also where that cannot be told.
pub fn is_under_way() -> bool {
    !matches!(Journal::read(), Ok(None))
}

/// Looks whether a run of `enable` or `disable` has moved this server's data, or is about to.
///
/// # Errors
/// While one has not ended.
pub fn must_be_the_only_run() -> Result<()> {
    let converts = conversion::Journal::read()
        .map_err(paths::problem)?
        .is_some();
    if converts || is_under_way() {
        return Err(Problem::refused(
            "A run of `stayput mariadb enable` or `disable` has not ended. Nothing was changed.",
            "`stayput status` tells what ends it.",
        ));
    }
    Ok(())
}

/// The file of the owner's that MariaDB takes its keys from, where nothing of the gate is
/// left and no move is under way.
pub fn key_file_in_use() -> Option<PathBuf> {
    match is_enabled() || is_gate_in_front() || is_under_way() {
        true => None,
        false => own_key_file(),
    }
}

/// How long is waited for what lies on a disk before the keys are destroyed without having
/// told of it, or an alarm goes on: one that dies takes minutes, or hangs for ever.
pub const LOOKS_WITHIN: Duration = Duration::from_secs(5);

const NOT_TOLD_IN_TIME: &str = "\
Whether keys of the database lie in files of their own could not be told within 5 s.
";

/// The owner's key files that a reset and an alarm do not reach, and that they are not
/// destroyed: a line each.
pub const KEY_FILES: ChildWork<String> =
    ChildWork::new(
        "look-for-key-files",
        |_| not_destroyed(&key_files_on_disk()),
    );

/// [`KEY_FILES`]; they may lie on any disk.
pub fn key_files_left() -> String {
    let told = KEY_FILES.within(LOOKS_WITHIN, &[]);
    told.unwrap_or_else(|_| NOT_TOLD_IN_TIME.into())
}

/// The one that the settings name, and the one of a move that has not ended.
fn key_files_on_disk() -> Vec<PathBuf> {
    let moved = Journal::read().ok().flatten();
    with_that_of_a_move(own_key_file(), moved.map(|journal| journal.key_file))
}

fn with_that_of_a_move(named: Option<PathBuf>, moved: Option<PathBuf>) -> Vec<PathBuf> {
    let moved = moved.filter(|path| Some(path) != named.as_ref());
    let moved = moved.filter(|path| path.symlink_metadata().is_ok());
    named.into_iter().chain(moved).collect()
}

fn not_destroyed(key_files: &[PathBuf]) -> String {
    let line = |path: &PathBuf| {
        format!(
            "NOT DESTROYED: the keys of the database in {}\n",
            path.display()
        )
    };
    key_files.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_file_that_is_left_is_named() {
        let files = ["/etc/mysql/mariadb.keys", "/srv/keys"].map(PathBuf::from);
        let told = not_destroyed(&files);
        let lines: Vec<&str> = told.lines().collect();
        let first = "NOT DESTROYED: the keys of the database in /etc/mysql/mariadb.keys";
        assert_eq!((lines[0], lines.len()), (first, 2), "{told}");
    }

    #[test]
    fn key_file_of_a_move_is_named_while_it_is_there() {
        let room = tempfile::tempdir().unwrap();
        let moved = room.path().join("keys");
        let named = PathBuf::from("/etc/mysql/mariadb.keys");
        let both = || with_that_of_a_move(Some(named.clone()), Some(moved.clone()));
        assert_eq!(both().len(), 1);
        std::fs::write(&moved, "").unwrap();
        assert_eq!(both(), [named.clone(), moved.clone()]);
        assert_eq!(with_that_of_a_move(None, Some(moved.clone())).len(), 1);
        assert_eq!(
            with_that_of_a_move(Some(moved.clone()), Some(moved.clone())),
            [moved]
        );
    }
}
