//! The end of files and swap that hold rows or keys in clear.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Overwrites every file below `directory` and removes all of it. Run again,
/// it goes on where it was interrupted. `progress` gets the bytes overwritten
/// by each step.
///
/// # Errors
/// What the filesystem says.
pub fn destroy(directory: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            destroy(&path, progress)?;
            continue;
        }
        if kind.is_file() {
            overwrite(&path, progress)?;
        }
        fs::remove_file(&path)?;
    }
    fs::remove_dir(directory)
}

/// Overwrites a file or a block device in place with zeros and waits until
/// they are on the disk.
///
/// # Errors
/// What the filesystem says.
pub fn overwrite(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut file = File::options()
        .write(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    // A block device has no length of its own.
    let mut left = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    while left > 0 {
        let step = left.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(step).unwrap_or(zeros.len())])?;
        left -= step;
        progress(step);
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_original_is_overwritten_before_it_is_removed() {
        let room = tempfile::tempdir().unwrap();
        let old = room.path().join("old");
        fs::create_dir_all(old.join("clinic")).unwrap();
        fs::write(old.join("clinic/patient.ibd"), b"CANARY").unwrap();
        // A second name shows what is left in the file's own blocks.
        let witness = room.path().join("witness");
        fs::hard_link(old.join("clinic/patient.ibd"), &witness).unwrap();
        let mut bytes = 0;
        destroy(&old, &mut |step| bytes += step).unwrap();
        assert!(!old.exists());
        assert_eq!(bytes, 6);
        assert_eq!(fs::read(&witness).unwrap(), [0; 6]);
        // And once more, as after a power cut.
        destroy(&old, &mut |_| {}).unwrap();
    }

    #[test]
    fn what_a_link_points_to_is_left_alone() {
        let room = tempfile::tempdir().unwrap();
        let old = room.path().join("old");
        fs::create_dir(&old).unwrap();
        fs::write(room.path().join("other"), b"keep").unwrap();
        symlink(room.path().join("other"), old.join("link")).unwrap();
        destroy(&old, &mut |_| {}).unwrap();
        assert_eq!(fs::read(room.path().join("other")).unwrap(), b"keep");
    }
}
