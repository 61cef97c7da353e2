//! Mounts and unmounts filesystems (mount(2), umount2(2)), and lists mounts.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const NOTHING_RUNS: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

/// How a filesystem or device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing can be written.
    ReadOnly,
    /// Files can be written.
    ReadWrite,
}

/// Mounts an in-memory filesystem (`tmpfs` or `ramfs`): nosuid, nodev, noexec.
///
/// # Errors
/// What mount(2) says; EINVAL for an option that this kernel does not know.
pub fn mount_memory(target: &Path, filesystem: &str, options: &str) -> Result<(), Errno> {
    mount(
        Some("stayput"),
        target,
        Some(filesystem),
        NOTHING_RUNS,
        Some(options),
    )
}

/// Bind-mounts `source` at `target` (MS_BIND).
///
/// # Errors
/// What mount(2) says.
pub fn bind(source: &Path, target: &Path) -> Result<(), Errno> {
    mount(
        Some(source),
        target,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
}

/// Makes a mount private (MS_PRIVATE): mounts beneath it are not propagated, in
/// either direction.
///
/// # Errors
/// What mount(2) says; EINVAL when nothing is mounted there.
pub fn keep_apart(target: &Path) -> Result<(), Errno> {
    mount(
        None::<&str>,
        target,
        None::<&str>,
        MsFlags::MS_PRIVATE,
        None::<&str>,
    )
}

/// Unmounts what is mounted at `target`.
///
/// # Errors
/// What umount2(2) says: EBUSY while a file in it is open, EINVAL when
/// nothing is mounted there.
pub fn unmount(target: &Path) -> Result<(), Errno> {
    umount2(target, MntFlags::UMOUNT_NOFOLLOW)
}

/// Detaches a mount from the tree at once (MNT_DETACH); it ends when its last
/// user does.
///
/// # Errors
/// What umount2(2) says.
pub fn unmount_lazily(target: &Path) -> Result<(), Errno> {
    umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
}

/// One line of a mountinfo file (proc_pid_mountinfo(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// `MAJOR:MINOR` of the filesystem.
    pub device: String,
    /// The directory of the filesystem that is mounted.
    pub root: PathBuf,
    /// The mount point.
    pub point: PathBuf,
    /// The type of the filesystem, for example `ext4`.
    pub filesystem: String,
}

/// The mounts that a mountinfo file lists.
///
/// # Errors
/// What the kernel says.
pub fn mounts_of(mountinfo: &Path) -> io::Result<Vec<MountEntry>> {
    let bytes = fs::read(mountinfo)?;
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(mount_entry).collect())
}

/// Any user may mount something at a path that is not UTF-8.
fn mount_entry(line: &[u8]) -> Option<MountEntry> {
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    Some(MountEntry {
        device: text(fields.next()?),
        root: unescaped(fields.next()?),
        point: unescaped(fields.next()?),
        // Behind optional fields, which end with a dash.
        filesystem: text(fields.skip_while(|field| *field != b"-").nth(1)?),
    })
}

/// Decodes a field of a mountinfo file: the kernel writes blanks, tabs, line
/// breaks and backslashes as `\ooo`.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let octal = digits
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Whether something is mounted at `path` itself; `false` where there is no
/// such path.
///
/// # Errors
/// What the kernel says.
pub fn is_mount_point(path: &Path) -> io::Result<bool> {
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        path => path?,
    };
    let mounts = mounts_of(Path::new("/proc/self/mountinfo"))?;
    Ok(mounts.iter().any(|mount| mount.point == path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_line_of_mountinfo_is_read_with_its_blanks() {
        let line = br"36 35 98:0 /a\040b /mnt\134x rw,noatime master:1 - ext3 /dev/root rw";
        let read = mount_entry(line).unwrap();
        assert_eq!(read.device, "98:0");
        assert_eq!(read.root, Path::new("/a b"));
        assert_eq!(read.point, Path::new("/mnt\\x"));
        assert_eq!(read.filesystem, "ext3");
        assert_eq!(mount_entry(b"36 35 98:0 /"), None);
        assert_eq!(unescaped(br"\9z\04"), Path::new(r"\9z\04"));
    }

    #[test]
    fn a_mount_point_that_is_no_text_hides_no_other_mount() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = b"36 35 0:50 / /home/a/\xff rw - fuse.x x rw\n\
                      37 35 0:51 / /srv rw shared:9 - nfs4 server:/ rw\n";
        fs::write(file.path(), lines).unwrap();
        let mounts = mounts_of(file.path()).unwrap();
        let points: Vec<&[u8]> = mounts
            .iter()
            .map(|mount| mount.point.as_os_str().as_bytes())
            .collect();
        assert_eq!(points, [&b"/home/a/\xff"[..], b"/srv"]);
        assert_eq!(mounts[1].filesystem, "nfs4");
    }
}
