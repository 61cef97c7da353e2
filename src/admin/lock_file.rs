//! Commands that must not run twice at once.

use std::fs::File;
use std::time::Duration;

use crate::admin::problem::{Problem, Result};
use crate::sys::file_lock;

/// Holds the lock in this file until the returned one is closed.
///
/// # Errors
/// Where `another` command has it, or the file cannot be made.
pub fn only_one(path: &str, another: &str) -> Result<File> {
    only_one_within(path, another, Duration::ZERO)
}

/// As [`only_one`], and waits for the other one's end.
///
/// # Errors
/// Where `another` command still has it after `wait`, or the file cannot be made.
pub fn only_one_within(path: &str, another: &str, wait: Duration) -> Result<File> {
    let file = File::create(path).map_err(|error| Problem::of_file(path, &error))?;
    file_lock::lock(&file, wait).map_err(|_| {
        Problem::refused(
            format!("Another {another} is at work."),
            "Nothing was changed. Wait for its end.",
        )
    })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_wait_has_the_lock_after_the_other_ones_end() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("lock");
        let path = path.to_str().unwrap();
        let other = only_one(path, "command").unwrap();
        assert!(only_one(path, "command").is_err());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| only_one_within(path, "command", Duration::from_secs(20)));
            drop(other);
            assert!(waits.join().unwrap().is_ok());
        });
    }
}
