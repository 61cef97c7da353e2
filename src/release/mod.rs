//! What the services on this server are given once it is known to be at home.

pub mod mariadb;
pub mod notice;
mod tmpfs;

pub use tmpfs::{RELEASE_FOLDER, ReleaseError, is_open, take_back, write_file};

use crate::keys::MasterKey;
use crate::vault::Policy;
use mariadb::KEY_FILE_NAME;

/// Makes the memory filesystem and writes into it what the services get. All
/// or nothing: after an error it is gone again.
///
/// # Errors
/// [`ReleaseError`]: the step that failed.
pub fn release(key: &MasterKey, policy: &Policy) -> Result<(), ReleaseError> {
    let write_all = || {
        tmpfs::open(policy.mariadb.as_ref().map_or(0, |mariadb| mariadb.gid))?;
        if let Some(mariadb) = &policy.mariadb {
            let file = mariadb.key_file(key);
            write_file(KEY_FILE_NAME, file.as_bytes(), mariadb.uid, mariadb.gid)?;
        }
        Ok(())
    };
    write_all().inspect_err(|_| take_back())
}
