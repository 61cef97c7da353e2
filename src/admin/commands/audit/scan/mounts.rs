//! Which filesystems are searched. What is mounted from another machine is not
//! touched: one look at a server that is gone can hang for ever.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::not_searched::NotSearched;
use crate::sys::mount::MountEntry;

/// Most links on the way to a file, as in the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Filesystems that are in memory, or are the kernel's own: they do not survive a
/// theft.
const IN_MEMORY: [&str; 23] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    // What containers see in place of /proc.
    "fuse.lxcfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

/// Filesystems of other machines, and what mounts them when it is looked at.
const REMOTE: [&str; 13] = [
    "9p", "afs", "autofs", "ceph", "cifs", "coda", "gfs2", "lustre", "ncpfs", "nfs", "nfs4",
    "ocfs2", "smb3",
];

/// Where the files of a mount are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// On a disk of this server.
    Disk,
    /// Nowhere once the server is switched off.
    Memory,
    /// On another machine, or wherever a program keeps them.
    Elsewhere,
}

fn storage(filesystem: &str) -> Storage {
    match filesystem {
        name if IN_MEMORY.contains(&name) => Storage::Memory,
        name if REMOTE.contains(&name) => Storage::Elsewhere,
        // NTFS and exFAT of earlier systems are programs with a disk of their own.
        "fuseblk" => Storage::Disk,
        name if name == "fuse" || name.starts_with("fuse.") => Storage::Elsewhere,
        _ => Storage::Disk,
    }
}

/// What is mounted.
pub struct Mounts(pub Vec<MountEntry>);

impl Mounts {
    /// Where what stands at this path is. The path has no links in it.
    pub fn storage_at(&self, path: &Path) -> Storage {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        // Of two mounts at one place the later one is seen.
        let mount = above.max_by_key(|mount| mount.point.components().count());
        mount.map_or(Storage::Disk, |mount| storage(&mount.filesystem))
    }

    /// The path without links. `None` where it leads nowhere.
    ///
    /// # Errors
    /// Why it cannot be followed; another machine is not asked.
    pub fn resolve(&self, path: &Path) -> Result<Option<PathBuf>, NotSearched> {
        let names = |path: &Path| -> Vec<OsString> {
            let names = path.components().map(|name| name.as_os_str().to_owned());
            names.collect()
        };
        let mut ahead: VecDeque<OsString> = names(path).into();
        let mut done = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            match Path::new(&name).components().next() {
                Some(Component::Normal(name)) => done.push(name),
                Some(Component::ParentDir) => {
                    done.pop();
                    continue;
                }
                Some(Component::RootDir) => {
                    done = PathBuf::from("/");
                    continue;
                }
                _ => continue,
            }
            if self.storage_at(&done) == Storage::Elsewhere {
                return Err(NotSearched::Elsewhere);
            }
            match fs::read_link(&done) {
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Ok(None);
                    }
                    done.pop();
                    names(&target)
                        .into_iter()
                        .rev()
                        .for_each(|name| ahead.push_front(name));
                }
                // It is no link.
                Err(error) if error.kind() == ErrorKind::InvalidInput => {}
                Err(error) if leads_nowhere(&error) => return Ok(None),
                Err(error) => return Err(NotSearched::from(&error)),
            }
        }
        Ok(Some(done))
    }
}

fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mounts(all: &[(&str, &str)]) -> Mounts {
        let entry = |(point, filesystem): &(&str, &str)| MountEntry {
            device: "8:1".into(),
            root: "/".into(),
            point: point.into(),
            filesystem: (*filesystem).into(),
        };
        Mounts(all.iter().map(entry).collect())
    }

    #[test]
    fn another_machine_is_told_from_a_disk_and_from_memory() {
        let mounts = mounts(&[
            ("/", "ext4"),
            ("/run", "tmpfs"),
            ("/srv", "nfs4"),
            ("/srv/disk", "xfs"),
            ("/home", "nfs4"),
            ("/home", "btrfs"),
            ("/media/x", "fuseblk"),
            ("/media/y", "fuse.sshfs"),
            ("/var/lib/lxcfs", "fuse.lxcfs"),
        ]);
        for (path, expected) in [
            ("/var/log", Storage::Disk),
            ("/runner", Storage::Disk),
            ("/run/x", Storage::Memory),
            ("/srv/a/b", Storage::Elsewhere),
            ("/srv/disk/a", Storage::Disk),
            ("/home/a", Storage::Disk),
            ("/media/x/a", Storage::Disk),
            ("/media/y/a", Storage::Elsewhere),
            ("/var/lib/lxcfs/proc", Storage::Memory),
        ] {
            assert_eq!(mounts.storage_at(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_link_to_another_machine_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().canonicalize().unwrap();
        for (link, target) in [
            ("away", "share/file"),
            ("chain", "away"),
            ("loop", "loop"),
            ("up", "../../../../../../../.."),
            ("gone", "nothing"),
        ] {
            symlink(target, folder.join(link)).unwrap();
        }
        fs::create_dir(folder.join("share")).unwrap();
        fs::write(folder.join("share/file"), "").unwrap();
        let share = folder.join("share");
        let local = mounts(&[("/", "ext4")]);
        let remote = mounts(&[("/", "ext4"), (share.to_str().unwrap(), "cifs")]);
        let resolved = |mounts: &Mounts, link: &str| mounts.resolve(&folder.join(link));
        for link in ["away", "chain"] {
            let file = Ok(Some(share.join("file")));
            assert_eq!(resolved(&local, link), file, "{link}");
            assert_eq!(
                resolved(&remote, link),
                Err(NotSearched::Elsewhere),
                "{link}"
            );
        }
        assert_eq!(resolved(&local, "loop"), Ok(None));
        assert_eq!(resolved(&local, "gone"), Ok(None));
        assert_eq!(resolved(&local, "up"), Ok(Some("/".into())));
    }
}
