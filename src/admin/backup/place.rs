//! Where backups lie: a directory, or a stick or disk that is mounted for as long as the
//! command takes.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::statvfs::{Statvfs, statvfs};

use crate::admin::problem::{COMPLETE_KERNEL, Exit, Problem, ProblemKind, Result};
use crate::backup::PARTS_MAX;
use crate::filesystem::{MountError, Mounted};
use crate::sys::block::drop_cache;
use crate::sys::mount::Access;
use crate::vault::ServerId;

use super::folder::Folder;
use super::stall::{STALL, patiently};

/// How long writing waits for who looks at the stick.
const WRITE_WAITS: Duration = Duration::from_secs(5);
/// How long the device file of a stick that was pulled out may still be there when the kernel
/// tells of errors.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// The folder of all servers' backups, in the top folder of the place.
const TOP: &str = "stayput-backups";
/// What goes into a pipe lies here for a moment, in memory.
const PIPED: &str = "/run/stayput-backup.piped";

/// The folder of one server's backups.
pub struct Place {
    /// `None` where it could not be opened again.
    open: Option<Open>,
    /// As its owner has named it.
    named: PathBuf,
    /// Whether it is a stick or disk that this command mounts for itself.
    is_disk: bool,
    server: ServerId,
}

/// Whether the server's folder has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Existing,
    Made,
}

struct Open {
    folder: Folder,
    /// The top folder.
    path: PathBuf,
    // Dropped last: the folder is open on it.
    mounted: Option<Mounted>,
}

impl Place {
    /// Opens a place to read backups.
    ///
    /// # Errors
    /// When it is not there or cannot be read, or has no backup of this server.
    pub fn for_reading(named: &Path, server: &ServerId) -> Result<Self> {
        Self::open(named, server, Access::ReadOnly, Wanted::Existing)
    }

    /// Opens a place to remove backups.
    ///
    /// # Errors
    /// As [`Place::for_reading`]; also where it cannot be written.
    pub fn for_removing(named: &Path, server: &ServerId) -> Result<Self> {
        Self::open(named, server, Access::ReadWrite, Wanted::Existing)
    }

    /// Opens a place to write backups; the server's folder is made.
    ///
    /// # Errors
    /// When it is not there or cannot be written.
    pub fn for_writing(named: &Path, server: &ServerId) -> Result<Self> {
        Self::open(named, server, Access::ReadWrite, Wanted::Made)
    }

    fn open(named: &Path, server: &ServerId, access: Access, wanted: Wanted) -> Result<Self> {
        let open = patiently(named, || Open::new(named, server, access, wanted))?;
        Ok(Self {
            is_disk: open.mounted.is_some(),
            open: Some(open),
            named: named.to_owned(),
            server: *server,
        })
    }

    /// What stands in for a place where a backup goes into a pipe: nothing is left in it.
    ///
    /// # Errors
    /// When there is no room in /run.
    pub fn of_a_pipe(server: &ServerId) -> Result<Self> {
        let path = PathBuf::from(PIPED);
        let made = match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => DirBuilder::new().mode(0o700).create(&path),
        };
        let folder = made.and_then(|()| Folder::at(&path));
        let open = Open {
            folder: folder.map_err(|error| Problem::of_file(&path, &error))?,
            path,
            mounted: None,
        };
        Ok(Self {
            open: Some(open),
            named: PathBuf::from("The pipe"),
            is_disk: false,
            server: *server,
        })
    }

    /// The folder of a server's backups, as it is named below the top folder.
    pub fn folder_of(server: &ServerId) -> String {
        format!("{TOP}/{server}")
    }

    /// Opens it anew: what this command has mounted is unmounted before, and what the kernel
    /// keeps of the disk in memory is dropped.
    ///
    /// # Errors
    /// When it is not there any more, does not show what was in it, or cannot be written.
    pub fn reopen(&mut self, access: Access) -> Result<()> {
        let open = patiently(&self.named, || {
            self.open = None;
            if self.is_disk {
                // Others may have the disk open, too; then some of it stays in memory.
                let _ = drop_cache(&self.named);
            }
            Open::new(&self.named, &self.server, access, Wanted::Existing)
        });
        self.open = Some(open.map_err(|problem| self.not_as_it_was(problem))?);
        Ok(())
    }

    /// A disk that was mounted a moment ago and shows nothing of it now has lost it: one that
    /// lies about its size writes over its own first blocks.
    fn not_as_it_was(&self, problem: Problem) -> Problem {
        let shows_nothing = matches!(
            problem.kind,
            ProblemKind::NotThere | ProblemKind::NotReadable | ProblemKind::Refused
        );
        match self.is_disk && shows_nothing && self.named.exists() {
            true => self.problem(&io::Error::new(
                ErrorKind::InvalidData,
                "nothing on it can be read any more",
            )),
            false => problem,
        }
    }

    /// What was written a moment ago cannot be read, for this reason.
    pub fn not_kept(&self, why: Problem) -> Problem {
        match why.kind {
            ProblemKind::NotKept | ProblemKind::NotThere => why,
            _ => {
                let what = why.what.trim_end_matches('.').to_owned();
                self.problem(&io::Error::new(ErrorKind::InvalidData, what))
            }
        }
    }

    /// The folder of this server's backups.
    ///
    /// # Errors
    /// Where it could not be opened again.
    pub fn folder(&self) -> Result<&Folder> {
        self.opened().map(|open| &open.folder)
    }

    fn opened(&self) -> Result<&Open> {
        let open = self.open.as_ref();
        open.ok_or_else(|| self.problem(&io::Error::other("it could not be opened again")))
    }

    /// # Errors
    /// Where it was pulled out, or a share does not answer any more. Whether a disk that is
    /// there still shows anything is another question.
    pub fn must_be_there(&self) -> Result<()> {
        let is_there = match (self.named.exists(), self.is_disk) {
            (false, _) => Err(ErrorKind::NotFound.into()),
            (true, true) => Ok(()),
            (true, false) => self.folder()?.names().map(drop),
        };
        is_there.map_err(|error| self.problem(&error))
    }

    /// As its owner has named it.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// Whether it is a stick or disk that this command mounts for itself.
    pub fn is_mounted_here(&self) -> bool {
        self.is_disk
    }

    /// Bytes of the whole filesystem.
    ///
    /// # Errors
    /// What statvfs(3) says.
    pub fn capacity(&self) -> Result<u64> {
        let facts = self.facts()?;
        Ok(facts.blocks() * facts.fragment_size())
    }

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// What statvfs(3) says.
    pub fn free(&self) -> Result<u64> {
        let facts = self.facts()?;
        Ok(facts.blocks_available() * facts.fragment_size())
    }

    fn facts(&self) -> Result<Statvfs> {
        let facts = statvfs(&self.opened()?.path);
        facts.map_err(|errno| self.problem(&errno.into()))
    }

    /// Looks at a place before anything is made in it.
    ///
    /// # Errors
    /// Where it lies on the filesystem of one of these paths: it would be lost with them, and
    /// a share that is not mounted is a directory of this server's own disk.
    pub fn must_be_another_filesystem(named: &Path, than: &[&Path]) -> Result<()> {
        let filesystem = |path: &Path| {
            let at = fs::metadata(path).ok()?;
            let is_disk = at.file_type().is_block_device();
            Some(if is_disk { at.rdev() } else { at.dev() })
        };
        let own = filesystem(named);
        let is_same = |path: &&&Path| own.is_some() && filesystem(path) == own;
        let Some(same) = than.iter().find(is_same) else {
            return Ok(());
        };
        Err(Problem::refused(
            format!(
                "{} lies on the same filesystem as {}: what takes one takes the other. Nothing \
                 was changed.",
                named.display(),
                same.display()
            ),
            "Is a share to be mounted there? `findmnt` tells. To back up there all the same: \
             --same-disk",
        ))
    }

    /// How long one write may take before it counts as a stall: of a stick, more than what may
    /// wait in memory for a slow one takes. Into a pipe goes a whole part at once, and the other
    /// end may be a slow line.
    pub fn answers_within(&self) -> Duration {
        match self
            .open
            .as_ref()
            .is_some_and(|open| open.path == Path::new(PIPED))
        {
            true => Duration::from_secs(300),
            false => STALL,
        }
    }

    /// What went wrong with it, in words.
    pub fn problem(&self, error: &io::Error) -> Problem {
        match self.is_disk {
            true => disk_problem(&self.named, error),
            false => problem(&self.named, error),
        }
    }
}

impl Open {
    fn new(named: &Path, server: &ServerId, access: Access, wanted: Wanted) -> Result<Self> {
        let (path, mounted) = top_of(named, access)?;
        let server = server.to_string();
        let folder = Folder::at(&path).and_then(|top| match wanted {
            Wanted::Existing => top.open(TOP).and_then(|all| all.open(&server)),
            Wanted::Made => top.make(TOP).and_then(|all| all.make(&server)),
        });
        let folder = folder.map_err(|error| match (error.kind(), wanted) {
            (ErrorKind::NotFound, Wanted::Existing) => Problem::failed(
                format!("{} has no backup of this server.", named.display()),
                "Is it the right place? Make one: stayput backup --to PLACE",
            )
            .of_kind(ProblemKind::NotThere),
            _ if mounted.is_some() => disk_problem(named, &error),
            _ => problem(named, &error),
        })?;
        Ok(Self {
            folder,
            path,
            mounted,
        })
    }
}

/// The top folder, and what was mounted for it.
fn top_of(named: &Path, access: Access) -> Result<(PathBuf, Option<Mounted>)> {
    let found = fs::metadata(named).map_err(|error| problem(named, &error))?;
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
    let mounted = match access {
        Access::ReadWrite => Mounted::for_writing(named, WRITE_WAITS),
        Access::ReadOnly => Mounted::for_reading(named),
    };
    let mounted = mounted.map_err(|error| match error {
        // Before anything was written: by itself the kernel makes none read-only.
        MountError::Failed(Errno::EROFS) => problem(named, &Errno::EROFS.into()),
        // What FAT says of a damaged one.
        MountError::Failed(Errno::EINVAL) => disk_problem(named, &Errno::EUCLEAN.into()),
        MountError::Failed(errno) => disk_problem(named, &errno.into()),
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

/// Of a disk that is mounted here.
fn disk_problem(named: &Path, error: &io::Error) -> Problem {
    let until = Instant::now() + GONE_WITHIN;
    while fails(error) && named.exists() && Instant::now() < until {
        sleep(GONE_WITHIN / 20);
    }
    match named.exists() {
        true => present_disk_problem(named, error),
        // Whatever the kernel says of one that is gone.
        false => Problem::failed(
            format!("{} was pulled out.", named.display()),
            "Plug it in again, and make another one. Older backups are as they were.",
        )
        .of_kind(ProblemKind::NotThere),
    }
}

fn present_disk_problem(named: &Path, error: &io::Error) -> Problem {
    let shown = named.display();
    match fails(error) {
        true => Problem::failed(
            format!("{shown} fails, or its filesystem is damaged: {error}."),
            format!(
                "Take another stick. Whether the older backups on it are whole: stayput backup \
                 verify --from {shown}"
            ),
        )
        .of_kind(ProblemKind::NotReadable),
        false => problem(named, error),
    }
}

/// What the kernel says of a disk that fails, or whose filesystem is damaged: the latter
/// becomes read-only.
fn fails(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    errno.is_some_and(|errno| {
        matches!(
            errno,
            Errno::EIO
                | Errno::EROFS
                | Errno::EUCLEAN
                | Errno::EBADMSG
                | Errno::ENODEV
                | Errno::ENXIO
        )
    })
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
            "The newest backup is as it was. Keep fewer of them (--keep-last, --limit), or use a \
             larger one.",
        ),
        ErrorKind::ReadOnlyFilesystem => failed(
            format!("{shown} cannot be written: it is read-only."),
            "Has it a switch? Or take another one. What is on it is as it was.",
        ),
        ErrorKind::FileTooLarge => failed(
            format!("The backup is larger than {shown} takes: {PARTS_MAX} files of one stream."),
            "Back up to a directory or a stick; its files are larger.",
        ),
        ErrorKind::BrokenPipe => failed(
            format!("{shown} was closed at the other end."),
            "What read it has said why. Then run the command again.",
        ),
        ErrorKind::PermissionDenied => Problem::forbidden(format!("{shown}: {error}")),
        ErrorKind::InvalidData => failed(
            format!("{shown} does not hold what was written to it: {error}."),
            "Do not trust it: take another stick. Older backups on it: stayput backup verify",
        )
        .of_kind(ProblemKind::NotKept),
        _ => failed(
            format!("{shown}: {error}."),
            "Was it pulled out, or does it fail? `dmesg` tells. Then run the command again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_of_the_servers_own_disk_is_no_place_for_backups() {
        let disk = tempfile::tempdir().unwrap();
        let nas = disk.path().join("nas");
        fs::create_dir(&nas).unwrap();
        let data = disk.path().join("mysql");
        fs::create_dir(&data).unwrap();
        let another = |than: &[&Path]| Place::must_be_another_filesystem(&nas, than);
        let problem = another(&[Path::new("/proc"), &data]).unwrap_err();
        assert!(problem.next.contains("--same-disk"), "{problem}");
        // What is not there is no reason.
        assert!(another(&[Path::new("/proc"), Path::new("/nonexistent")]).is_ok());
        assert_eq!(fs::read_dir(&nas).unwrap().count(), 0, "nothing was made");
    }

    #[test]
    fn what_became_of_a_stick_is_told_by_what_the_kernel_says() {
        let stick = tempfile::NamedTempFile::new().unwrap();
        let stick = stick.into_temp_path();
        let told = |errno: Errno| present_disk_problem(&stick, &errno.into());
        for errno in [Errno::EIO, Errno::EROFS, Errno::EUCLEAN] {
            let problem = told(errno);
            assert!(problem.what.contains("fails, or its"), "{problem}");
            assert!(problem.next.contains("backup verify --from /"), "{problem}");
        }
        assert!(told(Errno::ENOSPC).what.ends_with("is full."));
        let named = stick.to_path_buf();
        // The errors come first.
        let pulled = std::thread::spawn(move || {
            sleep(GONE_WITHIN / 10);
            stick.close()
        });
        let problem = disk_problem(&named, &Errno::EIO.into());
        pulled.join().unwrap().unwrap();
        assert!(problem.what.ends_with("was pulled out."), "{problem}");
        for errno in [Errno::EROFS, Errno::ENOENT, Errno::ENOSPC] {
            let problem = disk_problem(&named, &errno.into());
            assert!(problem.what.ends_with("was pulled out."), "{problem}");
        }
    }
}
