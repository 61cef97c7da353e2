//! A directory that goes away with the test.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Result;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// All directories of this kind begin so; the process that made it follows.
const PREFIX: &str = "sp-";

/// A number that no other test of this process has.
pub(crate) fn next_number() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A temporary directory of this test, removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Result<Self> {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(remove_those_of_the_dead);
        // Short: the sockets in it may have 107 bytes of path.
        let name = format!("{PREFIX}{}-{}", std::process::id(), next_number());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A killed test could not remove its own, and disks are large.
fn remove_those_of_the_dead() {
    let entries = std::fs::read_dir(std::env::temp_dir());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let maker = maker.and_then(|rest| rest.split_once('-'));
        let Some((Ok(maker), Ok(_))) = maker.map(|(a, b)| (a.parse::<u32>(), b.parse::<u32>()))
        else {
            continue;
        };
        if !Path::new("/proc").join(maker.to_string()).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
