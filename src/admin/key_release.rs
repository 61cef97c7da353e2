//! The keys of the policy, put into memory and taken out of it again.

use crate::admin::mariadb_service::is_started;
use crate::admin::problem::Result;
use crate::keys::MasterKey;
use crate::release;
use crate::vault::{Policy, Proven};

/// Releases what the policy says.
///
/// # Errors
/// What the system says.
pub fn put(key: &MasterKey, policy: &Proven<Policy>) -> Result<()> {
    Ok(release::release(key, policy)?)
}

/// Puts a changed `keep` into force at once, where keys were released.
///
/// # Errors
/// As [`put`].
pub fn renew(key: &MasterKey, policy: &Proven<Policy>) -> Result<()> {
    if !release::is_open() {
        return Ok(());
    }
    put(key, policy)?;
    // One that starts just now may not have read them; it removes them itself.
    if is_started() { after_start() } else { Ok(()) }
}

/// MariaDB has read its keys: they leave where the policy says so.
///
/// # Errors
/// When they cannot be removed.
pub fn after_start() -> Result<()> {
    if !release::leaves_when_read() {
        return Ok(());
    }
    Ok(release::remove_keys()?)
}
