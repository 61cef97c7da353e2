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
    let file = File::create(path).map_err(|error| Problem::of_file(path, &error))?;
    file_lock::lock(&file, Duration::ZERO).map_err(|_| {
        Problem::refused(
            format!("Another {another} is at work."),
            "Nothing was changed. Wait for its end.",
        )
    })?;
    Ok(file)
}
