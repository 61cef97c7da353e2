//! The key file, handed over at once: the next boot will do it by itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use crate::admin::{Problem, Result};
use crate::keys::MasterKey;
use crate::release::mariadb::MariadbRelease;
use crate::sys::mount::mount_memory;

use super::settings::KEY_FILE;

/// Writes the key file where the boot stage will write it.
///
/// # Errors
/// When the release directory cannot be made or written.
pub fn hand_over(release: &MariadbRelease, master_key: &MasterKey) -> Result<()> {
    write(release, master_key).map_err(|error| {
        Problem::failed(
            format!("{KEY_FILE} could not be written: {error}"),
            "Is /run mounted? `findmnt /run` tells.",
        )
    })
}

fn write(release: &MariadbRelease, master_key: &MasterKey) -> io::Result<()> {
    let path = Path::new(KEY_FILE);
    let directory = path.parent().unwrap_or(Path::new("/run/stayput"));
    fs::create_dir_all(directory)?;
    let parent = directory.parent().unwrap_or(Path::new("/run"));
    if fs::metadata(directory)?.dev() == fs::metadata(parent)?.dev() {
        let options = format!("size=1m,mode=0750,gid={}", release.gid);
        mount_memory(directory, "tmpfs", &format!("{options},noswap"))
            .or_else(|_| mount_memory(directory, "tmpfs", &options))?;
    }
    let new = path.with_extension("new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o400)
        .open(&new)?;
    fchown(&file, Some(release.uid), Some(release.gid))?;
    file.write_all(release.key_file(master_key).as_bytes())?;
    fs::rename(new, path)
}
