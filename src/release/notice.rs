//! Notices for whoever logs in: pam_motd shows every file of /run/motd.d, at
//! the console and over ssh. They are in memory and gone at the next boot.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::printable::PrintableLines;

const FOLDER: &str = "/run/motd.d";

/// The topic of a notice. Each topic has a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// How the server opened.
    Boot,
    /// A clear copy of the database.
    Database,
    /// The system was started without the keys.
    WithoutKeys,
    /// How old the newest backup of the database is.
    #[cfg(feature = "admin")]
    Backup,
}

impl Topic {
    const fn file(self) -> &'static str {
        match self {
            Self::Boot => "stayput",
            Self::Database => "stayput-mariadb",
            Self::WithoutKeys => "stayput-without-keys",
            #[cfg(feature = "admin")]
            Self::Backup => "stayput-backup",
        }
    }
}

/// Writes the notice of a topic; an empty text removes it.
///
/// # Errors
/// What the filesystem says.
pub fn put(topic: Topic, text: &str) -> io::Result<()> {
    put_in(Path::new(FOLDER), topic, text)
}

fn put_in(folder: &Path, topic: Topic, text: &str) -> io::Result<()> {
    let file = folder.join(topic.file());
    if text.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    fs::write(&file, PrintableLines(text).to_string())?;
    // Readable by all: whoever logs in is not root.
    fs::set_permissions(file, Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_can_read_it_and_it_goes_away() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("motd.d");
        put_in(&folder, Topic::Boot, "").unwrap();
        put_in(&folder, Topic::Boot, "one\n").unwrap();
        put_in(&folder, Topic::Boot, "two\n").unwrap();
        let file = folder.join(Topic::Boot.file());
        assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        put_in(&folder, Topic::Boot, "").unwrap();
        assert!(!file.exists());
    }
}
