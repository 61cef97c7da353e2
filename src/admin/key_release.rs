//! The released keys: into memory, and out of it again.

use crate::admin::mariadb_service::is_started;
use crate::admin::problem::Result;
use crate::keys::MasterKey;
use crate::release;
use crate::vault::{Policy, Proven};

/// Writes the keys that the policy names into the filesystem in memory.
///
/// # Errors
/// What the system says.
pub fn release_keys(key: &MasterKey, policy: &Proven<Policy>) -> Result<()> {
    Ok(release::release(key, policy)?)
}

/// Applies a changed `keep` at once. Does nothing where no keys were released.
///
/// # Errors
/// What the system says.
pub fn apply_keep(key: &MasterKey, policy: &Proven<Policy>) -> Result<()> {
    if !release::is_open() {
        return Ok(());
    }
    release_keys(key, policy)?;
    // A MariaDB that is starting may not have read them; its unit removes them.
    if is_started() {
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
