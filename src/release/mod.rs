//! Releases keys to the services: files in a filesystem in memory.

pub mod mariadb;
pub mod no_start;
pub mod notice;
mod tmpfs;
pub mod without_keys;

pub use no_start::{NotReleased, Turn};
pub use tmpfs::{RELEASE_FOLDER, ReleaseError, is_open, revoke, write_file};

use std::path::Path;

use crate::backup::ManifestKeys;
use crate::backup::keys::MANIFEST_KEY_FILE;
use crate::keys::Keyring;
use crate::vault::{Keep, Policy, Proven};
use mariadb::KEY_FILE_NAME;

/// An empty file beside the keys. Where it exists, the keys are removed once
/// MariaDB has read them. It repeats the proven policy, so that a start of
/// MariaDB need not prove the policy again; only root can write there.
const UNTIL_STARTED: &str = "until-started";

/// Mounts the filesystem in memory and writes the keys of all services into it.
/// After an error nothing of it is left. The type of `policy` makes sure that
/// it was proven.
///
/// It is a decision of this moment, a person's or the boot stage's: it ends what holds
/// the starts of MariaDB.
///
/// # Errors
/// [`ReleaseError`] with the step that failed.
pub fn release(keys: &Keyring, policy: &Proven<Policy>) -> Result<(), ReleaseError> {
    no_start::release(|| put_keys(keys, policy))
}

/// Releases for something else than that decision, as [`release`] does, but not what an
/// alarm or a reset has taken away.
///
/// # Errors
/// [`NotReleased`].
pub fn release_unless_held(keys: &Keyring, policy: &Proven<Policy>) -> Result<(), NotReleased> {
    no_start::release_unless_held(|| put_keys(keys, policy))
}

fn put_keys(keys: &Keyring, policy: &Proven<Policy>) -> Result<(), ReleaseError> {
    let write_all = || {
        tmpfs::open(policy.mariadb.as_ref().map_or(0, |mariadb| mariadb.gid))?;
        if policy.keep == Keep::UntilStarted {
            write_file(UNTIL_STARTED, b"", 0, 0)?;
        } else {
            tmpfs::remove_file(UNTIL_STARTED)?;
        }
        if let Some(mariadb) = &policy.mariadb {
            let file = mariadb.key_file(keys);
            write_file(KEY_FILE_NAME, file.as_bytes(), mariadb.uid, mariadb.gid)?;
        }
        let manifests = ManifestKeys::of(keys).to_released();
        write_file(MANIFEST_KEY_FILE, &manifests, 0, 0)
    };
    write_all().inspect_err(|_| revoke())?;
    without_keys::remove();
    Ok(())
}

/// Whether the keys are removed once MariaDB has read them.
pub fn leaves_when_read() -> bool {
    is_open() && Path::new(RELEASE_FOLDER).join(UNTIL_STARTED).exists()
}

/// Removes the key file and leaves the filesystem mounted; returns whether there was
/// one. Not to be called while MariaDB starts: without its keys it destroys rows.
///
/// # Errors
/// [`ReleaseError`]; then the keys may still be there.
pub fn remove_keys() -> Result<bool, ReleaseError> {
    match is_open() {
        true => tmpfs::remove_file(KEY_FILE_NAME),
        false => Ok(false),
    }
}
