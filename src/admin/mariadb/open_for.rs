//! For whose starts the data directory is open: every unit that the gate let
//! through and that has not ended since. A failed start of one unit closes the
//! directory, and must not do so under another one that is between the gate and
//! its first look at its data: no mariadbd works in it then that could be found.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::admin::systemd;
use crate::sys::file_lock;

const PATH: &str = "/run/stayput-mariadb-open-for";
/// A command that opens or closes needs some milliseconds for it.
const LOCK_WAITS: Duration = Duration::from_secs(10);
/// Bytes; a unit's name has at most 255.
const MAX_LENGTH: u64 = 16 * 1024;

/// The list of these units, for one command at a time.
pub struct OpenFor {
    file: Option<File>,
    units: BTreeSet<String>,
}

impl OpenFor {
    /// Reads the list; waits for another command that has it. Where it cannot be
    /// had, it is empty, and what is noted is forgotten: neither a start nor a
    /// stop waits for a full disk.
    pub fn read() -> Self {
        Self::read_at(Path::new(PATH)).unwrap_or_else(|error| {
            eprintln!("stayput: warning: {PATH}: {error}");
            Self {
                file: None,
                units: BTreeSet::new(),
            }
        })
    }

    fn read_at(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        file_lock::lock(&file, LOCK_WAITS)?;
        let mut text = String::new();
        (&mut file).take(MAX_LENGTH).read_to_string(&mut text)?;
        Ok(Self {
            file: Some(file),
            units: text.lines().map(str::to_owned).collect(),
        })
    }

    /// Notes that the gate lets a start of this unit through.
    pub fn add(&mut self, unit: &str) {
        self.units.insert(unit.to_owned());
        self.keep();
    }

    /// Notes that this unit has ended.
    pub fn remove(&mut self, unit: &str) {
        self.units.remove(unit);
        self.keep();
    }

    /// A unit of the list that runs or is coming up, other than `own`.
    pub fn another_that_is_up(&self, own: Option<&str>) -> Option<&str> {
        self.another(own, systemd::unit_is_up)
    }

    fn another(&self, own: Option<&str>, is_up: impl Fn(&str) -> bool) -> Option<&str> {
        let mut units = self.units.iter().map(String::as_str);
        units.find(|unit| Some(*unit) != own && is_up(unit))
    }

    fn keep(&mut self) {
        let text: String = self.units.iter().flat_map(|u| [u, "\n"]).collect();
        let Some(file) = &mut self.file else {
            return;
        };
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            eprintln!("stayput: warning: {PATH}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_instance_leaves_the_start_beside_it_open() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("list");
        let read = || OpenFor::read_at(&path).unwrap();
        read().add("mariadb.service");
        let mut list = read();
        list.remove("mariadb@second.service");
        assert_eq!(list.another(None, |_| true), Some("mariadb.service"));
        // It was let through, and has ended without its last command.
        assert_eq!(list.another(None, |_| false), None);
        drop(list);
        read().add("mariadb@second.service");
        read().remove("mariadb.service");
        let second = Some("mariadb@second.service");
        assert_eq!(read().another(Some("mariadb.service"), |_| true), second);
        assert_eq!(read().another(second, |_| true), None, "itself");
        read().remove("mariadb@second.service");
        assert_eq!(read().another(None, |_| true), None);
    }
}
