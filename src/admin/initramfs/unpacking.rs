//! Unpacks an initramfs for a moment, into a folder that goes with this process,
//! whatever ends it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::statvfs::statvfs;
use nix::unistd::mkdtemp;

use super::NoImage;
use crate::admin::program;

/// Longest time for unpacking one image, in seconds.
const PATIENCE: &str = "180";
/// Room for an unpacked image, as a multiple of its size.
const GROWS: u64 = 8;
/// Where images are unpacked: each in a folder of its own.
const ROOM: &str = "/var/tmp";

/// What the keeper of a folder runs: it waits until the process that holds its input
/// has gone, then removes the folder. Whoever still unpacks into it is being ended.
const KEEPER: &str = r#"trap "" HUP INT TERM
cat >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf -- "$1" && exit
    sleep 1
done"#;

/// An unpacked image. Its folder is removed when this is dropped, and when this
/// process is killed.
pub struct Unpacked {
    folder: Folder,
}

impl Unpacked {
    /// Unpacks an image of this size in bytes with the system's own unmkinitramfs.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn of(archive: &Path, bytes: u64) -> Result<Self, NoImage> {
        let io = |error: io::Error| NoImage::Unreadable(error.to_string());
        let free = statvfs(ROOM).map_err(|errno| io(errno.into()))?;
        let free = free.blocks_available() as u64 * free.fragment_size() as u64;
        if free / GROWS < bytes {
            let megabytes = (bytes * GROWS).div_ceil(1 << 20);
            let what = format!("{ROOM} has no room for it ({megabytes} MB)");
            return Err(NoImage::Unreadable(what));
        }
        let folder = Folder::new(Path::new(ROOM)).map_err(io)?;
        // `timeout` ends what unmkinitramfs has started as well, also when this process
        // is killed.
        program::run(
            Command::new("/usr/bin/setpriv")
                .args(["--pdeathsig", "TERM", "/usr/bin/timeout", "--kill-after=5"])
                .args([PATIENCE, "/usr/bin/unmkinitramfs"])
                .args([archive, &folder.path.join("unpacked")])
                .env("TMPDIR", &folder.path),
            "",
        )
        .map_err(|problem| NoImage::Unreadable(problem.what))?;
        Ok(Self { folder })
    }

    /// The folder that is the initramfs' root.
    pub fn root(&self) -> PathBuf {
        let unpacked = self.folder.path.join("unpacked");
        // Where microcode stands in front, the rest is in a folder of its own.
        let main = unpacked.join("main");
        if main.is_dir() { main } else { unpacked }
    }
}

/// A private folder, and the process that removes it.
struct Folder {
    path: PathBuf,
    keeper: Child,
}

impl Folder {
    /// Makes one below `parent`.
    fn new(parent: &Path) -> io::Result<Self> {
        let path = mkdtemp(&parent.join("stayput-check-XXXXXX"))?;
        // In a session of its own, where no key of the terminal reaches it.
        let keeper = Command::new("/usr/bin/setsid")
            .args(["/bin/sh", "-c", KEEPER, "stayput"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match keeper {
            Ok(keeper) => Ok(Self { path, keeper }),
            Err(error) => {
                let _ = fs::remove_dir(&path);
                Err(error)
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // What stays is removed by systemd-tmpfiles.
        let _ = self.keeper.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_folder_goes_when_its_owner_is_done() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path()).unwrap();
        let path = folder.path.clone();
        fs::write(path.join("file"), "unpacked").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_goes_when_its_owner_is_killed() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(parent.path()).unwrap();
        let path = folder.path.clone();
        fs::write(path.join("file"), "unpacked").unwrap();
        // All that is left of a process that was killed: its end of the pipe is closed.
        let pipe = folder.keeper.stdin.take();
        let folder = std::mem::ManuallyDrop::new(folder);
        drop(pipe);
        let begun = Instant::now();
        while path.exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it stays");
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(std::mem::ManuallyDrop::into_inner(folder));
    }
}
