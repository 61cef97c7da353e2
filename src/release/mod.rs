//! What the services on this server are given once it is known to be at home.

pub mod mariadb;
pub mod notice;
mod tmpfs;

pub use tmpfs::{RELEASE_FOLDER, ReleaseError, is_open, take_back, write_file};

use std::path::Path;

use crate::keys::MasterKey;
use crate::vault::{Keep, Policy, Proven};
use mariadb::KEY_FILE_NAME;

/// An empty file beside the keys: they leave when they have been read. It says
/// what the policy said when it was proven, so that a start of MariaDB can be
/// served without proving it again; nobody but root can write there.
const UNTIL_STARTED: &str = "until-started";

/// Makes the memory filesystem and writes into it what the services get. All
/// or nothing: after an error it is gone again. A policy that the master key
/// has not proven cannot be given to it.
///
/// # Errors
/// [`ReleaseError`]: the step that failed.
pub fn release(key: &MasterKey, policy: &Proven<Policy>) -> Result<(), ReleaseError> {
    let write_all = || {
        tmpfs::open(policy.mariadb.as_ref().map_or(0, |mariadb| mariadb.gid))?;
        if policy.keep == Keep::UntilStarted {
            write_file(UNTIL_STARTED, b"", 0, 0)?;
        } else {
            tmpfs::remove_file(UNTIL_STARTED)?;
        }
        if let Some(mariadb) = &policy.mariadb {
            let file = mariadb.key_file(key);
            write_file(KEY_FILE_NAME, file.as_bytes(), mariadb.uid, mariadb.gid)?;
        }
        Ok(())
    };
    write_all().inspect_err(|_| take_back())
}

/// Whether the keys leave when they have been read, and come back when they
/// are needed again.
pub fn leaves_when_read() -> bool {
    is_open() && Path::new(RELEASE_FOLDER).join(UNTIL_STARTED).exists()
}

/// Removes the keys and nothing else. Never while MariaDB starts: one that
/// does not find them then destroys rows.
///
/// # Errors
/// [`ReleaseError`]: they may still be there.
pub fn remove_keys() -> Result<(), ReleaseError> {
    if is_open() {
        tmpfs::remove_file(KEY_FILE_NAME)?;
    }
    Ok(())
}
