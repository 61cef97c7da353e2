//! What other commands ask: whether the database is out of the gate, and which key files
//! of it lie on a disk.

use std::path::PathBuf;

use crate::admin::mariadb::gate_units::is_gate_in_front;
use crate::admin::mariadb::settings::own_key_file;
use crate::admin::mariadb_service::is_enabled;

use super::journal::Journal;

/// Whether a move was begun and has not ended; also where that cannot be told.
pub fn is_under_way() -> bool {
    !matches!(Journal::read(), Ok(None))
}

/// The file of the owner's that MariaDB takes its keys from, where nothing of the gate is
/// left and no move is under way.
pub fn key_file_in_use() -> Option<PathBuf> {
    match is_enabled() || is_gate_in_front() || is_under_way() {
        true => None,
        false => own_key_file(),
    }
}

/// The key files that a reset and an alarm do not reach: the one that the settings name,
/// and the one of a move that has not ended.
pub fn key_files_on_disk() -> Vec<PathBuf> {
    let moved = Journal::read().ok().flatten();
    with_that_of_a_move(own_key_file(), moved.map(|journal| journal.key_file))
}

fn with_that_of_a_move(named: Option<PathBuf>, moved: Option<PathBuf>) -> Vec<PathBuf> {
    let moved = moved.filter(|path| Some(path) != named.as_ref());
    let moved = moved.filter(|path| path.symlink_metadata().is_ok());
    named.into_iter().chain(moved).collect()
}

/// Says of each of these files that the keys in it are not destroyed.
pub fn not_destroyed(key_files: &[PathBuf]) -> String {
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
