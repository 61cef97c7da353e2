//! The copies of the ways in that a lost vault has left: what the recovery code needs
//! beside it.

use std::fs;
use std::path::Path;

use super::super::InitOptions;
use crate::admin::open_vault::{copies_on_sticks, copy_beside};
use crate::admin::problem::{Exit, Problem, Result};
use crate::vault::{FrameError, ServerId, WAYS_COPY, WAYS_COPY_BYTES, WaysCopy};

/// All that are found, those of the newest key first: beside vault.conf, on the sticks
/// that are plugged in, and the file that was named.
///
/// # Errors
/// When the file that was named cannot be read, or is none of this server.
pub fn found(server_id: &ServerId, options: &InitOptions) -> Result<Vec<WaysCopy>> {
    let mut copies = Vec::new();
    if let Some(path) = &options.ways {
        copies.push(named(path, server_id)?);
    }
    copies.extend(copy_beside(server_id));
    copies.extend(copies_on_sticks(server_id));
    copies.sort_by_key(|copy| std::cmp::Reverse(copy.generation));
    Ok(copies)
}

fn named(path: &Path, server_id: &ServerId) -> Result<WaysCopy> {
    let length = fs::metadata(path)
        .map_err(|error| Problem::of_file(path, &error))?
        .len();
    let bytes = match length == WAYS_COPY_BYTES as u64 {
        true => fs::read(path).map_err(|error| Problem::of_file(path, &error))?,
        false => Vec::new(),
    };
    WaysCopy::parse(&bytes, server_id).map_err(|error| {
        let what = match error {
            FrameError::Damaged => "is no copy of this server's ways in, or it is damaged",
            FrameError::Newer => "was written by a newer version of stayput",
            FrameError::Older => "was written by an older version of stayput",
        };
        Problem::new(
            Exit::Usage,
            format!("{} {what}.", path.display()),
            format!("Nothing was changed. Name a copy of {WAYS_COPY} of the lost server."),
        )
    })
}

/// The code without anything beside it.
pub fn none_for_the_code() -> Problem {
    Problem::new(
        Exit::Locked,
        "The code alone does not have the key: it unlocks what is kept beside the vault, on every \
         stick, and in backups. None of that was found.",
        format!(
            "Nothing was changed. Plug in any backup stick of this server, whose PIN is not \
             needed; or name a copy of {WAYS_COPY}, from the server's disk or from a backup: \
             --ways FILE"
        ),
    )
}
