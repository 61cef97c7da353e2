//! The control group of a container, in which its systemd keeps its units.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scratch::next_number;
use crate::{Failure, Result};

/// All groups of this kind begin so; the process that made it follows.
const PREFIX: &str = "stayput-tests-";

/// A group of its own at the top of the unified hierarchy, wherever that is
/// mounted. Removed when dropped; then nothing may run in it any more.
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    pub fn new() -> Result<Self> {
        let top = unified()?;
        remove_those_of_the_dead(&top);
        let name = format!("{PREFIX}{}-{}", std::process::id(), next_number());
        let path = top.join(name);
        fs::create_dir(&path)
            .map_err(|e| Failure::new(format!("no control group {}: {e}", path.display())))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the commands of the tests run: systemd does not know it.
    pub fn of_the_tests(&self) -> Result<PathBuf> {
        let path = self.0.join("tests");
        match fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(path),
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

/// Where the unified hierarchy is mounted; on a machine with both kinds it is
/// beside the others.
fn unified() -> Result<PathBuf> {
    fs::read_to_string("/proc/self/mounts")?
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|words| words.get(2) == Some(&"cgroup2"))
        .map(|words| PathBuf::from(words[1]))
        .ok_or_else(|| Failure::new("a container needs cgroup2, which is mounted nowhere"))
}

/// A killed test could not remove its own.
fn remove_those_of_the_dead(top: &Path) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let Some((maker, _)) = maker.and_then(|rest| rest.split_once('-')) else {
            continue;
        };
        if !Path::new("/proc").join(maker).exists() {
            let _ = remove(&entry.path());
        }
    }
}

/// A group can be removed once it is empty; its files need not be.
fn remove(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
