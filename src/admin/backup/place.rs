//! Where backups lie: a directory, or a stick or disk that is mounted for as long as the
//! command takes.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;

use crate::admin::problem::{COMPLETE_KERNEL, Exit, Problem, ProblemKind, Result};
use crate::filesystem::{MountError, Mounted};
use crate::vault::ServerId;

use super::folder::Folder;

/// How long writing waits for who looks at the stick.
const WRITE_WAITS: Duration = Duration::from_secs(5);
/// The folder of all servers' backups, in the top folder of the place.
const TOP: &str = "stayput-backups";
/// What goes into a pipe lies here for a moment, in memory.
const PIPED: &str = "/run/stayput-backup.piped";

/// The folder of one server's backups.
pub struct Place {
    folder: Folder,
    /// The top folder.
    path: PathBuf,
    /// As its owner has named it.
    named: PathBuf,
    // Dropped last: the folder is open on it.
    mounted: Option<Mounted>,
}

impl Place {
    /// Opens a place to read backups.
    ///
    /// # Errors
    /// When it is not there or cannot be read, or has no backup of this server.
    pub fn for_reading(named: &Path, server: &ServerId) -> Result<Self> {
        Self::with_backups(named, server, false)
    }

    /// Opens a place to remove backups.
    ///
    /// # Errors
    /// As [`Place::for_reading`]; also where it cannot be written.
    pub fn for_removing(named: &Path, server: &ServerId) -> Result<Self> {
        Self::with_backups(named, server, true)
    }

    fn with_backups(named: &Path, server: &ServerId, for_writing: bool) -> Result<Self> {
        let (path, mounted) = top_of(named, for_writing)?;
        let folder = Folder::at(&path)
            .and_then(|top| top.open(TOP))
            .and_then(|all| all.open(&server.to_string()));
        let folder = folder.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Problem::failed(
                format!("{} has no backup of this server.", named.display()),
                "Is it the right place? Make one: stayput backup --to PLACE",
            )
            .of_kind(ProblemKind::NotThere),
            _ => problem(named, &error),
        })?;
        Ok(Self {
            folder,
            path,
            named: named.to_owned(),
            mounted,
        })
    }

    /// Opens a place to write backups; the server's folder is made.
    ///
    /// # Errors
    /// When it is not there or cannot be written.
    pub fn for_writing(named: &Path, server: &ServerId) -> Result<Self> {
        let (path, mounted) = top_of(named, true)?;
        let folder = Folder::at(&path)
            .and_then(|top| top.make(TOP))
            .and_then(|all| all.make(&server.to_string()));
        Ok(Self {
            folder: folder.map_err(|error| problem(named, &error))?,
            path,
            named: named.to_owned(),
            mounted,
        })
    }

    /// What stands in for a place where a backup goes into a pipe: nothing is left in it.
    ///
    /// # Errors
    /// When there is no room in /run.
    pub fn of_a_pipe() -> Result<Self> {
        let path = PathBuf::from(PIPED);
        let made = match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => DirBuilder::new().mode(0o700).create(&path),
        };
        let folder = made.and_then(|()| Folder::at(&path));
        let named = PathBuf::from("The pipe");
        Ok(Self {
            folder: folder.map_err(|error| Problem::of_file(&path, &error))?,
            path,
            named,
            mounted: None,
        })
    }

    /// The folder of a server's backups, as it is named below the top folder.
    pub fn folder_of(server: &ServerId) -> String {
        format!("{TOP}/{server}")
    }

    /// The folder of this server's backups.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Whether it is a stick or disk that this command has mounted for itself.
    pub fn is_mounted_here(&self) -> bool {
        self.mounted.is_some()
    }

    /// Bytes of the whole filesystem.
    ///
    /// # Errors
    /// What statvfs(3) says.
    pub fn capacity(&self) -> Result<u64> {
        let facts = statvfs(&self.path).map_err(|errno| self.problem(&errno.into()))?;
        Ok(facts.blocks() as u64 * facts.fragment_size() as u64)
    }

    /// What went wrong with it, in words.
    pub fn problem(&self, error: &io::Error) -> Problem {
        problem(&self.named, error)
    }
}

/// The top folder, and what was mounted for it.
fn top_of(named: &Path, for_writing: bool) -> Result<(PathBuf, Option<Mounted>)> {
    let found = std::fs::metadata(named).map_err(|error| problem(named, &error))?;
    if found.is_dir() {
        return Ok((named.to_owned(), None));
    }
    if !found.file_type().is_block_device() {
        return Err(Problem::new(
            Exit::Usage,
            format!("{} is neither a directory nor a disk.", named.display()),
            "Name a mounted directory, or a stick: `lsblk` shows its name, for example /dev/sdb1.",
        ));
    }
    let mounted = match for_writing {
        true => Mounted::for_writing(named, WRITE_WAITS),
        false => Mounted::for_reading(named),
    };
    let mounted = mounted.map_err(|error| match error {
        MountError::Failed(errno) => problem(named, &errno.into()),
        MountError::NoDriver(_) => Problem::failed(
            format!("This kernel cannot read {}.", named.display()),
            COMPLETE_KERNEL,
        ),
        MountError::Format(_) => Problem::refused(
            format!(
                "{} is not formatted as FAT, exFAT or ext4.",
                named.display()
            ),
            "Name the partition (`lsblk` shows it), or mount it and name the directory.",
        ),
    })?;
    Ok((mounted.path(), Some(mounted)))
}

fn problem(named: &Path, error: &io::Error) -> Problem {
    let shown = named.display();
    let failed = |what: String, next: &str| Problem::failed(what, next);
    match error.kind() {
        ErrorKind::NotFound => failed(
            format!("{shown} is not there, or was pulled out."),
            "Plug it in, or mount it; then run the command again. Older backups are as they were.",
        )
        .of_kind(ProblemKind::NotThere),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failed(
            format!("{shown} is full."),
            "Older backups are as they were. Keep fewer of them (--keep-last, --limit), or use a \
             larger one.",
        ),
        ErrorKind::ReadOnlyFilesystem => failed(
            format!("{shown} cannot be written: it is read-only."),
            "Has it a switch? A damaged filesystem becomes read-only too: `dmesg` tells.",
        ),
        ErrorKind::BrokenPipe => failed(
            format!("{shown} was closed at the other end."),
            "What read it has said why. Then run the command again.",
        ),
        ErrorKind::PermissionDenied => Problem::forbidden(format!("{shown}: {error}")),
        ErrorKind::InvalidData => failed(
            format!("{shown} does not hold what was written to it: {error}."),
            "Do not trust it: take another stick. Older backups on it: stayput backup verify",
        ),
        _ => failed(
            format!("{shown}: {error}."),
            "Was it pulled out, or does it fail? `dmesg` tells. Then run the command again.",
        ),
    }
}
