//! The mark of a boot that went on without the keys, in memory: the running system
//! then looks for the place itself. Only the boot stage leaves it, after it has
//! decided so; a release takes it away.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::notice::{Topic, put as put_notice};

const MARK: &str = "/run/stayput-without-keys";

/// Leaves the mark.
///
/// # Errors
/// What the filesystem says.
pub fn leave() -> io::Result<()> {
    File::create(MARK).map(drop)
}

/// Whether this boot went on without the keys, and nobody has released them since.
pub fn is_there() -> bool {
    Path::new(MARK).exists()
}

/// Takes the mark away, and what whoever logs in has read of it.
pub(super) fn remove() {
    if let Err(error) = put_notice(Topic::WithoutKeys, "") {
        log::warn!("the notice for the next log-in stays: {error}");
    }
    match fs::remove_file(MARK) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            log::warn!("{MARK} stays: {error}");
        }
        _ => {}
    }
}
