//! The released keys: into memory, and out of it again.

use crate::admin::mariadb_service::{is_started, is_starting};
use crate::admin::problem::Result;
use crate::keys::Keyring;
use crate::release::{self, NotReleased};
use crate::vault::{Policy, Proven};

/// Writes the keys that the policy names into the filesystem in memory, for something
/// else than a release that a person wants at this moment.
///
/// # Errors
/// When an alarm or a reset has taken them away; what the system says.
pub fn release_keys(keys: &Keyring, policy: &Proven<Policy>) -> Result<()> {
    Ok(release::release_unless_held(keys, policy)?)
}

/// Applies a changed `keep` at once. Does nothing where no keys were released, or an alarm
/// or a reset has just taken them: the next release follows the policy.
///
/// # Errors
/// What the system says.
pub fn apply_keep(keys: &Keyring, policy: &Proven<Policy>) -> Result<()> {
    if !release::is_open() {
        return Ok(());
    }
    match release::release_unless_held(keys, policy) {
        Err(NotReleased::Held) => return Ok(()),
        released => released?,
    }
    // A MariaDB that is starting may not have read them; its unit removes them.
    if is_started() && !is_starting() {
        remove_if_read()
    } else {
        Ok(())
    }
}

/// Removes the key file after MariaDB has read it, if the policy says so.
///
/// # Errors
/// When they cannot be removed.
pub fn remove_if_read() -> Result<()> {
    if !release::leaves_when_read() {
        return Ok(());
    }
    release::remove_keys()?;
    Ok(())
}
