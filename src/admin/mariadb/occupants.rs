//! Finds who uses a directory: processes that have a file of it open or mapped, or
//! have it as working directory, and mounts that show it elsewhere.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::sys::mount::{MountEntry, mounts_of};

/// One user of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occupant {
    Process {
        pid: u32,
        name: String,
    },
    /// At this path, as it is shown to people.
    Mount(String),
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name } => write!(f, "process {pid} ({name})"),
            Self::Mount(path) => write!(f, "a mount at {path}"),
        }
    }
}

/// Longest time for the search. On a network filesystem whose server is silent a
/// search never ends.
const LOOK_TAKES: Duration = Duration::from_secs(60);

/// What the search has found, or what the system says.
type Found = Result<Vec<Occupant>, String>;

/// The search: behind the tree it is told which mounts are left out.
pub const SEARCH: ChildWork<Found> = ChildWork::new("search-occupants", |words| {
    let (tree, ours) = words.split_first().ok_or("no directory is named")?;
    // It searches for the process that has started it.
    let us = [std::process::id(), parent_id()];
    find(Path::new("/proc"), Path::new(tree), ours, us).map_err(|error| error.to_string())
});

/// Everybody but this process who uses `tree` on this machine, containers
/// included. `ours` are mounts that are left out.
///
/// # Errors
/// What the system says; TimedOut when a filesystem does not answer. Nothing is
/// known then.
pub fn of(tree: &Path, ours: &[&Path]) -> io::Result<Vec<Occupant>> {
    let words: Vec<&OsStr> = [tree]
        .iter()
        .chain(ours)
        .map(|path| path.as_os_str())
        .collect();
    known(SEARCH.within(LOOK_TAKES, &words))
}

/// Nothing is known by a search that was not waited for.
fn known(searched: Result<Found, NoAnswer>) -> io::Result<Vec<Occupant>> {
    match searched {
        Ok(found) => found.map_err(io::Error::other),
        Err(NoAnswer::InTime(_)) => {
            let what = "a filesystem that some process uses does not answer";
            Err(io::Error::new(ErrorKind::TimedOut, what))
        }
        Err(NoAnswer::AtAll) => Err(io::Error::other("the search for processes has failed")),
    }
}

/// `us`: processes that are left out.
fn find(proc: &Path, tree: &Path, ours: &[OsString], us: [u32; 2]) -> io::Result<Vec<Occupant>> {
    let tree = &fs::canonicalize(tree)?;
    let mut files = HashSet::new();
    collect(tree, &mut files)?;
    let mut found = Vec::new();
    let mut namespaces = HashSet::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|pid| pid.parse().ok()) else {
            continue;
        };
        let process = entry.path();
        if !us.contains(&pid) && gone_is_false(works_in(&process, tree, &files))? {
            found.push(Occupant::Process {
                pid,
                name: fs::read_to_string(process.join("comm"))
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            });
        }
        // Kernel threads and zombies have no namespace.
        if let Ok(namespace) = fs::read_link(process.join("ns/mnt"))
            && namespaces.insert(namespace)
            && let Ok(mounts) = mounts_of(&process.join("mountinfo"))
        {
            let is_ours = |point: &PathBuf| ours.iter().any(|ours| point == ours);
            let shown = shown_elsewhere(tree, &mounts).filter(|point| !is_ours(point));
            found.extend(shown.map(|point| Occupant::Mount(point.display().to_string())));
        }
    }
    Ok(found)
}

/// Device and number of every file and directory.
fn collect(tree: &Path, files: &mut HashSet<(u64, u64)>) -> io::Result<()> {
    let at = fs::symlink_metadata(tree)?;
    files.insert((at.dev(), at.ino()));
    if at.is_dir() {
        for entry in fs::read_dir(tree)? {
            collect(&entry?.path(), files)?;
        }
    }
    Ok(())
}

fn works_in(process: &Path, tree: &Path, files: &HashSet<(u64, u64)>) -> io::Result<bool> {
    let is_there = |path: PathBuf| {
        // A link that leads nowhere (a pipe, a deleted file) still has an inode.
        gone_is_false(fs::metadata(path).map(|at| files.contains(&(at.dev(), at.ino()))))
    };
    for link in ["cwd", "root"] {
        if is_there(process.join(link))? {
            return Ok(true);
        }
    }
    let entries = match fs::read_dir(process.join("fd")) {
        Err(error) if is_gone(&error) => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = match entry {
            Err(error) if is_gone(&error) => continue,
            entry => entry?,
        };
        if is_there(entry.path())? {
            return Ok(true);
        }
    }
    // A mapped file may be closed.
    let maps = fs::read(process.join("maps")).map(|text| maps_one_of(&text, tree));
    gone_is_false(maps)
}

/// Whether a list of mappings (proc_pid_maps(5)) names a file of the tree.
fn maps_one_of(maps: &[u8], tree: &Path) -> bool {
    let lines = maps.split(|byte| *byte == b'\n');
    let mut paths = lines.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b'/')?;
        Some(Path::new(OsStr::from_bytes(&line[at..])))
    });
    paths.any(|path| path.starts_with(tree))
}

/// Ignores processes that have ended meanwhile, and kernel threads, which have no
/// root or working directory.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn gone_is_false(found: io::Result<bool>) -> io::Result<bool> {
    match found {
        Err(error) if is_gone(&error) => Ok(false),
        found => found,
    }
}

/// The mounts that show `tree` or a part of it under another name.
fn shown_elsewhere(tree: &Path, mounts: &[MountEntry]) -> impl Iterator<Item = PathBuf> {
    let home = mounts
        .iter()
        .filter(|mount| tree.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count());
    let inside = home.and_then(|home| {
        let below = tree.strip_prefix(&home.point).ok()?;
        Some((home.device.clone(), home.root.join(below)))
    });
    let others = mounts.iter().filter(move |mount| {
        inside
            .as_ref()
            .is_some_and(|(device, root)| mount.device == *device && mount.root.starts_with(root))
    });
    let points: Vec<PathBuf> = others.map(|mount| mount.point.clone()).collect();
    points.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::symlink;

    fn mount(device: &str, root: &str, point: &str) -> MountEntry {
        MountEntry {
            device: device.into(),
            root: root.into(),
            point: point.into(),
            filesystem: "ext4".into(),
        }
    }

    #[test]
    fn a_bind_of_the_directory_or_of_a_part_is_found() {
        let tree = Path::new("/var/lib/mysql");
        let found = |root: &str, device: &str| {
            let mounts = [mount("8:1", "/", "/"), mount(device, root, "/srv/x")];
            shown_elsewhere(tree, &mounts).count()
        };
        assert_eq!(found("/var/lib/mysql", "8:1"), 1);
        assert_eq!(found("/var/lib/mysql/clinic", "8:1"), 1);
        assert_eq!(found("/var/lib/mysql2", "8:1"), 0);
        assert_eq!(found("/var/lib", "8:1"), 0);
        assert_eq!(found("/var/lib/mysql", "8:2"), 0);
    }

    #[test]
    fn a_search_that_does_not_end_says_nothing_of_who_works_there() {
        assert!(known(Err(NoAnswer::AtAll)).is_err());
        assert!(known(Ok(Err("Permission denied".into()))).is_err());
        assert_eq!(known(Ok(Ok(vec![]))).unwrap(), []);
    }

    #[test]
    fn a_file_that_is_mapped_and_closed_is_found() {
        let maps = b"7f00-7f01 r--p 00000000 08:01 12 /lib/libc.so\n\
            7f01-7f02 rw-s 00000000 08:01 44 /var/lib/mysql/clinic/old.MYD\n\
            7ffd-7ffe rw-p 00000000 00:00 0 [stack]\n";
        assert!(maps_one_of(maps, Path::new("/var/lib/mysql")));
        assert!(!maps_one_of(maps, Path::new("/var/lib/mysql/cli")));
    }

    #[test]
    fn a_subvolume_is_known_by_its_own_root() {
        let mounts = [
            mount("0:30", "/@", "/"),
            mount("0:30", "/@lib", "/var/lib"),
            mount("0:30", "/@lib/mysql", "/mnt"),
        ];
        let found: Vec<PathBuf> = shown_elsewhere(Path::new("/var/lib/mysql"), &mounts).collect();
        assert_eq!(found, [Path::new("/mnt")]);
    }

    /// A list of processes with one of this number in it.
    fn process(proc: &Path, pid: u32) -> PathBuf {
        let folder = proc.join(pid.to_string());
        fs::create_dir_all(folder.join("fd")).unwrap();
        fs::write(folder.join("comm"), "bash\n").unwrap();
        fs::write(folder.join("maps"), "").unwrap();
        symlink("/", folder.join("cwd")).unwrap();
        symlink("/", folder.join("root")).unwrap();
        folder
    }

    const NOBODY: [u32; 2] = [0; 2];

    #[test]
    fn whoever_holds_a_file_or_stands_there_is_found() {
        let home = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(home.path()).unwrap();
        let (proc, tree) = (home.join("proc"), home.join("mysql"));
        fs::create_dir_all(tree.join("clinic")).unwrap();
        File::create(tree.join("clinic/patient.ibd")).unwrap();
        process(&proc, 7);
        fs::create_dir(proc.join("sys")).unwrap();
        assert_eq!(find(&proc, &tree, &[], NOBODY).unwrap(), []);

        let stands = process(&proc, 8);
        fs::remove_file(stands.join("cwd")).unwrap();
        symlink(tree.join("clinic"), stands.join("cwd")).unwrap();
        let holds = process(&proc, 9);
        symlink(tree.join("clinic/patient.ibd"), holds.join("fd/3")).unwrap();
        symlink(home.join("gone"), holds.join("fd/4")).unwrap();
        let mut found = find(&proc, &tree, &[], NOBODY).unwrap();
        found.sort_by_key(ToString::to_string);
        let named: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["process 8 (bash)", "process 9 (bash)"]);
    }
}
