//! A backup into a pipe: the same files as in a place, one after another in a tar archive. Of
//! each no more is held than a small part, in memory, and encrypted by then.

use std::io::{self, Read, Write};

use super::folder::Folder;

/// Bytes of a part in an archive: its header names its length, so all of it is held before
/// the first byte goes out.
pub const PIPED_PART_BYTES: u64 = 16 << 20;

const BLOCK: usize = 512;

/// Writes a tar archive (POSIX.1-1988, ustar).
pub struct Archive<W> {
    to: W,
    /// The folder of all files in it.
    below: String,
    /// Seconds since 1970 UTC, of all files in it.
    made: u64,
}

impl<W: Write> Archive<W> {
    /// An archive of files that lie in the folder `below`, with slashes between the names.
    pub fn new(to: W, below: String, made: u64) -> Self {
        Self { to, below, made }
    }

    /// Moves a file of this folder into the archive.
    ///
    /// # Errors
    /// What reading and writing says.
    pub fn take(&mut self, folder: &Folder, name: &str) -> io::Result<()> {
        let file = folder.file(name)?;
        let length = file.metadata()?.len();
        let path = format!("{}/{name}", self.below);
        let header = header(&path, length, self.made).ok_or(io::ErrorKind::InvalidInput)?;
        self.to.write_all(&header)?;
        let copied = io::copy(&mut file.take(length), &mut self.to)?;
        if copied != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let rest = (BLOCK - (length % BLOCK as u64) as usize) % BLOCK;
        self.to.write_all(&[0; BLOCK][..rest])?;
        folder.remove_file(name)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// What writing says.
    pub fn end(&mut self) -> io::Result<()> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        self.to.flush()
    }
}

/// `None` where the path or the length has no room in it.
fn header(path: &str, length: u64, made: u64) -> Option<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, room: usize, text: &str| {
        let fits = text.len() <= room;
        if fits {
            block[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        fits
    };
    let octal = |value: u64, digits: usize| format!("{value:0digits$o}");
    let all_fit = [
        put(0, 100, path),
        put(100, 7, &octal(0o600, 7)),
        put(108, 7, &octal(0, 7)),
        put(116, 7, &octal(0, 7)),
        put(124, 11, &octal(length, 11)),
        put(136, 11, &octal(made, 11)),
        // The sum is made over spaces in its own place.
        put(148, 8, "        "),
        put(156, 1, "0"),
        put(257, 8, "ustar\x0000"),
        put(265, 4, "root"),
        put(297, 4, "root"),
    ];
    if !all_fit.iter().all(|fits| *fits) {
        return None;
    }
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn tar_unpacks_what_was_archived() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::at(room.path()).unwrap();
        let files = [
            ("one", vec![1; 511]),
            ("two", vec![2; 1024]),
            ("none", vec![]),
        ];
        for (name, bytes) in &files {
            fs::write(room.path().join(name), bytes).unwrap();
        }
        let archive_path = room.path().join("archive.tar");
        let to = fs::File::create(&archive_path).unwrap();
        let mut archive = Archive::new(to, "backups/12".into(), 1_764_274_500);
        for (name, _) in &files {
            archive.take(&folder, name).unwrap();
            assert!(!room.path().join(name).exists(), "{name} stays in memory");
        }
        archive.end().unwrap();
        let mut tar = Command::new("tar");
        let tar = tar.arg("-xf").arg(&archive_path).arg("-C").arg(room.path());
        assert!(tar.status().unwrap().success());
        for (name, bytes) in &files {
            let unpacked = room.path().join("backups/12").join(name);
            assert_eq!(fs::read(unpacked).unwrap(), *bytes, "{name}");
        }
    }

    #[test]
    fn what_has_no_room_in_a_header_is_an_error() {
        assert!(header(&"x".repeat(100), 0, 0).is_some());
        assert!(header(&"x".repeat(101), 0, 0).is_none());
        assert!(header("x", 1 << 33, 0).is_none());
    }
}
