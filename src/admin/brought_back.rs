//! MariaDB's keys that a command brings back for itself, where the policy removes them once
//! MariaDB has read them. They leave again however the command ends; after a SIGKILL the next
//! one takes them away.

use std::fs;
use std::path::Path;

use crate::admin::durable::remove_durably;
use crate::admin::key_release;
use crate::admin::mariadb_service::{is_started, is_starting};
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::release::{RELEASE_FOLDER, mariadb::KEY_FILE_NAME};
use crate::sys::at_end::{Changed, put_back_at_end};

/// In memory: a command has brought the keys back, and they have not left since.
const MARK: &str = "/run/stayput-keys-brought-back";

/// Whether MariaDB's keys are in memory.
pub fn are_there() -> bool {
    Path::new(RELEASE_FOLDER).join(KEY_FILE_NAME).exists()
}

/// Releases the keys. They leave when the returned value is dropped, unless they were there
/// before, or the policy lets them stay.
///
/// # Errors
/// When an alarm or a reset has taken them away; what the system says.
pub fn bring_back(unlocked: &Unlocked) -> Result<Option<Changed>> {
    let policy = &unlocked.proven.policy;
    if are_there() {
        // What a changed policy or a new key wants is released too.
        key_release::release_keys(unlocked.keys(), policy)?;
        return Ok(None);
    }
    fs::write(MARK, "").map_err(|error| Problem::of_file(MARK, &error))?;
    let again = put_back_at_end(take_away);
    key_release::release_keys(unlocked.keys(), policy)?;
    Ok(Some(again))
}

/// Takes away what a command that was killed has brought back. Called while no other such
/// command is at work.
pub fn take_away_left_behind() {
    if Path::new(MARK).exists() {
        take_away();
    }
}

fn take_away() {
    // A MariaDB that is starting has not read them yet; its unit removes them. One that is
    // stopped needs them to start.
    if is_started() && !is_starting() && key_release::remove_if_read().is_ok() {
        let _ = remove_durably(Path::new(MARK));
    }
}
