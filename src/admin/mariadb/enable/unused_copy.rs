//! Whether MariaDB has ever worked in a clear copy that lies where it looks. Between the
//! end of the gate and the first start nothing has, and nobody needs such a copy.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::admin::durable::write_durably;
use crate::admin::mariadb::run_records::journal::Journal;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};

/// In the room of the original.
const AS_MADE: &str = "copy-as-made";

/// Notes how the copy lies in its place, before anything can start MariaDB with it.
///
/// # Errors
/// What the filesystem says.
pub fn note(journal: &Journal, paths: &RunPaths) -> io::Result<()> {
    let room = MarkedRoom::find(&paths.original, journal.run)?;
    let room = room.ok_or(ErrorKind::NotFound)?;
    let state = state(paths.home_of_copy())?;
    write_durably(&room.file(AS_MADE), state.as_bytes())
}

/// Whether nothing was written into the copy since. Told within one boot only: after a
/// power cut a file may hold more than its times say.
pub fn is_as_made(journal: &Journal, paths: &RunPaths) -> bool {
    let same_boot = !journal.boot.is_empty() && journal.boot == paths::boot_id();
    same_boot && is_same(journal, paths)
}

fn is_same(journal: &Journal, paths: &RunPaths) -> bool {
    let then = MarkedRoom::find(&paths.original, journal.run)
        .ok()
        .flatten()
        .and_then(|room| fs::read_to_string(room.file(AS_MADE)).ok());
    then.is_some() && then == state(paths.home_of_copy()).ok()
}

/// A digest of what the kernel keeps of each file: every write, new file and removal
/// changes a time, and nobody can set that of the last change (`st_ctime`).
fn state(tree: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    add(tree, &mut digest)?;
    let mut text = String::new();
    for byte in digest.finalize() {
        text += &format!("{byte:02x}");
    }
    Ok(text)
}

fn add(at: &Path, digest: &mut Sha256) -> io::Result<()> {
    let found = fs::symlink_metadata(at)?;
    let name = at.file_name().unwrap_or_default().as_bytes();
    digest.update(name);
    let numbers = [
        found.ino(),
        found.size(),
        u64::from(found.mode()),
        found.ctime().cast_unsigned(),
        found.ctime_nsec().cast_unsigned(),
    ];
    digest.update(format!("/{numbers:?}"));
    if !found.is_dir() {
        return Ok(());
    }
    let entries: io::Result<Vec<_>> = fs::read_dir(at)?.collect();
    let mut entries: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    entries.iter().try_for_each(|entry| add(entry, digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::mariadb::conversion::Conversion;
    use crate::admin::mariadb::run_records::journal::Stage;
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn copy_is_unused_until_the_first_write_of_this_boot() {
        type Write = fn(&Path);
        let writes: [Write; 4] = [
            |copy| {
                let file = File::options()
                    .write(true)
                    .open(copy.join("aria_log_control"));
                file.unwrap().write_all_at(b"x", 0).unwrap();
            },
            |copy| fs::write(copy.join("clinic/new"), "").unwrap(),
            |copy| fs::remove_file(copy.join("clinic/a.ibd")).unwrap(),
            |copy| fs::rename(copy.join("clinic"), copy.join("other")).unwrap(),
        ];
        for write in writes {
            let home = tempfile::tempdir().unwrap();
            let paths = RunPaths::of(&home.path().join("mysql"), Conversion::Decrypt);
            let copy = paths.home_of_copy();
            fs::create_dir_all(copy.join("clinic")).unwrap();
            fs::write(copy.join("aria_log_control"), "a").unwrap();
            fs::write(copy.join("clinic/a.ibd"), "row").unwrap();
            let mut journal = Journal::example(
                Conversion::Decrypt,
                Stage::Starting,
                home.path().join("mysql"),
            );
            assert!(!is_as_made(&journal, &paths), "nothing is noted");
            paths.make_root().unwrap();
            MarkedRoom::make(&paths.original, journal.run).unwrap();
            note(&journal, &paths).unwrap();
            fs::read(copy.join("clinic/a.ibd")).unwrap();
            assert!(is_as_made(&journal, &paths));
            // The kernel's clock for files has coarse steps.
            sleep(Duration::from_millis(20));
            write(copy);
            assert!(!is_as_made(&journal, &paths));
            note(&journal, &paths).unwrap();
            journal.boot = "another".into();
            assert!(!is_as_made(&journal, &paths));
        }
    }
}
