//! Checks before anything is changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::admin::mariadb::config::Configuration;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::process::of_others;
use crate::admin::mariadb::start_faults::DIRECTORIES;
use crate::admin::mariadb::version::{of_mariadbd, version_fault};
use crate::admin::problem::{Problem, Result};
use crate::release::mariadb::CheckFile;
use crate::sys::attributes;

use crate::admin::mariadb::run_records::paths::{self, RunPaths};

/// What a new, empty data directory takes, in bytes.
const NEW_SERVER: u64 = 256 << 20;

const UNTOUCHED: &str = "Nothing was changed.";

fn refuse(what: impl Into<String>, next: impl AsRef<str>) -> Problem {
    Problem::refused(what, format!("{UNTOUCHED} {}", next.as_ref()))
}

/// Checks that the data directory can be closed.
///
/// # Errors
/// When the settings or the place stand in the way; nothing was changed.
pub fn layout(config: &Configuration) -> Result<()> {
    if config.knows("file-key-management-filename") {
        return Err(refuse(
            "MariaDB is already set up to encrypt with keys of its own.",
            "Take file_key_management out of /etc/mysql and decrypt the tables first.",
        ));
    }
    if config.value("wsrep-on") == Some("TRUE") {
        return Err(refuse(
            "This server is part of a Galera cluster, which is not supported.",
            "Set wsrep_on = OFF, or leave this server as it is.",
        ));
    }
    let seen = config.data_directory();
    for name in DIRECTORIES {
        let place = config.value(name).map(|path| path.trim_end_matches('/'));
        if place.is_some_and(|place| !["", "."].contains(&place) && Path::new(place) != seen) {
            return Err(refuse(
                format!(
                    "{name} puts a part of the data elsewhere; only {} is closed.",
                    seen.display()
                ),
                format!(
                    "Stop MariaDB, move that part into {} and remove the option.",
                    seen.display()
                ),
            ));
        }
    }
    place(&seen)
}

/// Whether the directory can be renamed away and an immutable one can stand
/// in its place.
///
/// # Errors
/// When it cannot; nothing was changed.
pub fn place(seen: &Path) -> Result<()> {
    let shown = seen.display();
    let unreadable = |error: io::Error| {
        refuse(
            format!("{shown} cannot be read: {error}"),
            "Is MariaDB installed, and is its disk mounted?",
        )
    };
    let at = fs::symlink_metadata(seen).map_err(unreadable)?;
    if at.is_symlink() {
        return Err(refuse(
            format!("{shown} is a symbolic link."),
            "Set datadir in /etc/mysql to the directory that it points to, and remove the link.",
        ));
    }
    let parent = seen.parent().unwrap_or(Path::new("/"));
    if fs::metadata(parent).map_err(unreadable)?.dev() != at.dev() {
        return Err(refuse(
            format!("{shown} is a filesystem of its own; it cannot be closed as a whole."),
            format!(
                "Mount that filesystem at /srv/mariadb instead (/etc/fstab), move the files into \
                 /srv/mariadb/mysql and set datadir = /srv/mariadb/mysql; {shown} stays empty."
            ),
        ));
    }
    one_filesystem(seen, at.dev()).map_err(|error| {
        refuse(
            format!("{shown}: {error}"),
            "Move what lies elsewhere back into the data directory.",
        )
    })?;
    let trial = parent.join(format!(".stayput-trial-{}", std::process::id()));
    let immutable = fs::create_dir(&trial).and_then(|()| {
        let directory = File::open(&trial)?;
        attributes::set_immutable(&directory, true)?;
        attributes::set_immutable(&directory, false)?;
        Ok(())
    });
    let _ = fs::remove_dir(&trial);
    immutable.map_err(|error| {
        refuse(
            format!(
                "The filesystem of {} has no immutable directories ({error}), which close the data.",
                parent.display()
            ),
            "Put the data directory on ext4, XFS or btrfs.",
        )
    })
}

/// Refuses links and mounts below: what they lead to would not move along.
fn one_filesystem(directory: &Path, device: u64) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let at = entry.metadata()?;
        let path = entry.path();
        if at.is_symlink() || at.dev() != device {
            return Err(io::Error::other(format!(
                "{} leads out of it",
                path.display()
            )));
        }
        if at.is_dir() {
            one_filesystem(&path, device)?;
        }
    }
    Ok(())
}

/// Reads the check file that `enable` leaves beside the data, if it is whole.
pub fn check_file_beside(data: &DataDirectory) -> Option<CheckFile> {
    let file = File::open(paths::check_beside(data)).ok()?;
    let mut bytes = Vec::new();
    file.take(CheckFile::MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    CheckFile::parse(&bytes).ok()
}

/// Refuses while another mariadbd than the unit's runs. One in a container is left
/// alone; whether it works in these files is checked separately.
///
/// # Errors
/// Names the other one.
pub fn no_other_server() -> Result<()> {
    let others = of_others()?;
    let Some(other) = others.iter().find(|other| !other.in_container) else {
        return Ok(());
    };
    Err(refuse(
        format!(
            "Another MariaDB is running: {} (process {}).",
            other.program, other.pid
        ),
        "Stop it, then run the command again. Only one server per machine is looked after.",
    ))
}

/// Refuses a version of mariadbd that does not recover encrypted pages after a
/// power cut.
///
/// # Errors
/// Names a version that does.
pub fn version() -> Result<()> {
    match version_fault(&of_mariadbd()?) {
        None => Ok(()),
        Some(fault) => Err(refuse(fault.to_string(), fault.next())),
    }
}

/// Refuses when a room that a run makes exists already: without a journal nobody
/// may delete it.
///
/// # Errors
/// Names what is in the way.
pub fn rooms(paths: &RunPaths) -> Result<()> {
    for room in [&paths.making, &paths.original] {
        if fs::symlink_metadata(room).is_ok() {
            return Err(refuse(
                format!(
                    "{} is there, and no run of this command knows it.",
                    room.display()
                ),
                "Look at what is in it; move it away if it is of use, else remove it.",
            ));
        }
    }
    Ok(())
}

/// Checks that the disk has room for the copy beside the data.
///
/// # Errors
/// Says how much is missing.
pub fn space(data: &DataDirectory, conversion: Conversion) -> Result<()> {
    let parent = data.seen().parent().unwrap_or(Path::new("/"));
    let io = |error: io::Error| refuse(format!("{}: {error}", parent.display()), "");
    let mut files = Vec::new();
    sizes(data.seen(), &mut files).map_err(io)?;
    let free = statvfs(parent).map_err(|errno| io(errno.into()))?;
    let free = free.blocks_available() as u64 * free.fragment_size() as u64;
    let needed = needed(files);
    if free < needed {
        let megabytes = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(refuse(
            format!(
                "There is too little room: the {} needs {} MB beside the original, {} MB are \
                 free.",
                conversion.copy(),
                megabytes(needed),
                megabytes(free)
            ),
            format!(
                "Free at least {} MB on the filesystem of {}.",
                megabytes(needed - free),
                data.seen().display()
            ),
        ));
    }
    Ok(())
}

/// The bytes that a copy needs: a fifth more than the files have, because a copy
/// is packed differently, and the two largest once more, because two tables at a
/// time are sorted in temporary files.
fn needed(mut files: Vec<u64>) -> u64 {
    let used: u64 = files.iter().sum();
    files.sort_unstable_by(|one, other| other.cmp(one));
    let sorted: u64 = files.iter().take(2).sum();
    used + used / 5 + sorted + NEW_SERVER
}

/// Collects the bytes that each file below takes.
fn sizes(directory: &Path, files: &mut Vec<u64>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let at = entry.metadata()?;
        match at.is_dir() {
            true => sizes(&entry.path(), files)?,
            false => files.push(at.blocks() * 512),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_data_directory_are_found() {
        let room = tempfile::tempdir().unwrap();
        let data = room.path().join("mysql");
        fs::create_dir_all(data.join("clinic")).unwrap();
        let device = fs::metadata(&data).unwrap().dev();
        assert!(one_filesystem(&data, device).is_ok());
        std::os::unix::fs::symlink("/srv/x", data.join("clinic/t.MYD")).unwrap();
        let error = one_filesystem(&data, device).unwrap_err().to_string();
        assert!(error.contains("clinic/t.MYD"), "{error}");
    }

    #[test]
    fn a_room_that_no_run_knows_is_in_the_way() {
        let home = tempfile::tempdir().unwrap();
        let paths = RunPaths::of(&home.path().join("mysql"), Conversion::Encrypt);
        assert!(rooms(&paths).is_ok());
        fs::create_dir_all(&paths.making).unwrap();
        assert!(rooms(&paths).is_err());
    }

    #[test]
    fn the_copy_is_given_room_to_grow() {
        let gib = |files: &[u64]| needed(files.iter().map(|size| size << 30).collect());
        assert_eq!(needed(Vec::new()), 256 << 20);
        assert_eq!(gib(&[10]), (22 << 30) + (256 << 20));
        assert_eq!(gib(&[1, 2, 4, 3]), (19 << 30) + (256 << 20));
    }
}
