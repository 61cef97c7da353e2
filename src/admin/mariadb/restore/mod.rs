//! Puts a database from a backup in the place of the one behind the gate. It is made beside
//! that one, counted, and only then do the two change places; the other one is kept until
//! its owner lets it go. [`plan`] has the steps.

mod compare;
mod journal;
mod make;
mod plan;
mod switch;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::admin::backup::{Tool, size};
use crate::admin::durable::Filesystem;
use crate::admin::mariadb::backup_source::reads_files_of;
use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::disable;
use crate::admin::mariadb::enable::{start_prevention, worker};
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::journal as conversion;
use crate::admin::mariadb::run_records::marked_room::{MarkedRoom, RunId};
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::version::of_mariadbd;
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::backup::{Method, TableRows};
use crate::sys::at_end::Changed;

use journal::{Journal, Stage};
use plan::{BUILD, SWITCH, Step};

pub use compare::differences;

/// What is restored.
pub struct Wanted<'a> {
    /// The number of the backup.
    pub number: u64,
    /// How the database was read.
    pub method: Method,
    /// MariaDB's version at that time.
    pub mariadb_version: &'a str,
    /// Bytes that the data directory took.
    pub data_bytes: u64,
    /// The rows that it had.
    pub tables: &'a [TableRows],
}

/// Gives the decrypted stream of the database to a program.
pub type Pour<'a> = dyn FnMut(Tool) -> Result<()> + 'a;

/// What an earlier restore has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing, or what the next one removes.
    Nothing,
    /// Its two databases are about to change places.
    Interrupted,
    /// The database of before it is kept.
    Kept,
}

/// What an earlier restore has left.
///
/// # Errors
/// When its journal cannot be read.
pub fn earlier() -> Result<Earlier> {
    let journal = Journal::read().map_err(paths::problem)?;
    Ok(match journal.map(|journal| journal.stage) {
        None | Some(Stage::Building) => Earlier::Nothing,
        Some(Stage::Switching) => Earlier::Interrupted,
        Some(Stage::Done) => Earlier::Kept,
    })
}

/// Looks whether this backup can be restored here, before anything is read of it.
///
/// # Errors
/// What stands in the way; nothing was changed.
pub fn must_be_possible(wanted: &Wanted<'_>) -> Result<()> {
    if !systemd::running() {
        return Err(Problem::refused(
            "systemd does not run this machine. Nothing was changed.",
            "Run the command on the server itself, not in an image of it.",
        ));
    }
    let places = Places::find()?;
    let here = of_mariadbd()?;
    if wanted.method == Method::Physical && !reads_files_of(wanted.mariadb_version, &here) {
        return Err(Problem::refused(
            format!(
                "The backup has the files of MariaDB {}, which this MariaDB does not read: {}. \
                 Nothing was changed.",
                wanted.mariadb_version,
                here.trim()
            ),
            "Take a backup that was made with --method dump, or install that version of MariaDB.",
        ));
    }
    let room = places.making.parent().unwrap_or(Path::new("/"));
    let free = statvfs(room).map_err(|errno| paths::problem(errno.into()))?;
    let free = free.blocks_available() as u64 * free.fragment_size() as u64;
    let needed = wanted.data_bytes + wanted.data_bytes / 5;
    if free < needed {
        return Err(Problem::refused(
            format!(
                "There is too little room beside the database: about {} are needed, {} are free. \
                 Nothing was changed.",
                size(needed),
                size(free)
            ),
            format!("Make room on the filesystem of {}.", room.display()),
        ));
    }
    Ok(())
}

/// Restores: makes the database, counts it, and puts it in the place of the one that is
/// there. The keys are in memory.
///
/// # Errors
/// What stands in the way. The database that was there then serves as before, or the message
/// says what to do.
pub fn restore(wanted: &Wanted<'_>, pour: &mut Pour<'_>) -> Result<()> {
    let _lock = worker::lock()?;
    must_be_the_only_run()?;
    if earlier()? != Earlier::Nothing {
        return Err(Problem::refused(
            "An earlier restore has not ended. Nothing was changed.",
            "Run: stayput restore --remove-old, or --undo.",
        ));
    }
    let mut run = Run::new(Journal {
        run: RunId::new(),
        stage: Stage::Building,
        data: Places::find()?.data.seen().to_owned(),
        wanted: 0,
        number: wanted.number,
    })?;
    let made = BUILD
        .into_iter()
        .try_for_each(|step| run.build(step, wanted, pour));
    if let Err(problem) = made {
        // What cannot be removed now is removed by the next run.
        let _ = run.drop_unfinished().and_then(|()| clear());
        return Err(problem);
    }
    run.switch_or_go_back()
}

/// Finishes a restore that was interrupted while the two databases changed places.
///
/// # Errors
/// As [`restore`].
pub fn finish() -> Result<()> {
    let _lock = worker::lock()?;
    let mut run = Run::new(journal_at(Stage::Switching)?)?;
    say("An earlier restore was interrupted; finishing it.");
    run.switch()
}

/// Goes back to the database of before the last restore; the restored one is kept then.
///
/// # Errors
/// As [`restore`].
pub fn undo() -> Result<()> {
    let _lock = worker::lock()?;
    let mut run = Run::new(journal_at(Stage::Done)?)?;
    run.want_the_other()?;
    run.switch()
}

/// Removes the database of before the last restore, once MariaDB was seen to serve.
///
/// # Errors
/// When it does not serve, or files cannot be removed.
pub fn remove_kept() -> Result<()> {
    let _lock = worker::lock()?;
    let run = Run::new(journal_at(Stage::Done)?)?;
    serves_from(run.places.data.real())?;
    run.remove_kept()
}

fn journal_at(stage: Stage) -> Result<Journal> {
    let journal = Journal::read().map_err(paths::problem)?;
    journal
        .filter(|journal| journal.stage == stage)
        .ok_or_else(|| {
            Problem::refused(
                "No database of before a restore is kept. Nothing was changed.",
                "`stayput help restore` tells how it is used.",
            )
        })
}

/// # Errors
/// While something else has moved this server's data, or is about to.
fn must_be_the_only_run() -> Result<()> {
    let converts = conversion::Journal::read()
        .map_err(paths::problem)?
        .is_some();
    if converts || disable::is_under_way() {
        return Err(Problem::refused(
            "A run of `stayput mariadb enable` or `disable` has not ended. Nothing was changed.",
            "`stayput status` tells what ends it.",
        ));
    }
    Ok(())
}

/// The directories of a restore, side by side on one filesystem.
struct Places {
    data: DataDirectory,
    /// The room in which the restored database is made.
    making: PathBuf,
    /// The room of the one that is not behind the gate.
    kept: PathBuf,
}

impl Places {
    fn find() -> Result<Self> {
        let check = load_check_file().map_err(|(what, next)| {
            Problem::refused(
                format!("Which database is this server's cannot be told: {what}."),
                next,
            )
        })?;
        Ok(Self::of(Path::new(check.data_directory())))
    }

    fn of(seen: &Path) -> Self {
        let data = DataDirectory::seen_at(seen);
        let beside = |name: &str| data.real().with_file_name(name);
        Self {
            making: beside("mariadb.restoring"),
            kept: beside("mariadb.before-restore"),
            data,
        }
    }
}

/// A restore at work.
struct Run {
    journal: Journal,
    /// What an interrupted one has left.
    earlier: Option<Journal>,
    places: Places,
    user: ServiceUser,
    started: StartCommand,
    filesystem: Filesystem,
    /// MariaDB served from the database that is there.
    served: bool,
    /// The units are masked.
    held: Option<Changed>,
}

impl Run {
    fn new(journal: Journal) -> Result<Self> {
        let places = Places::of(&journal.data);
        let room = places.making.parent().unwrap_or(Path::new("/"));
        let user = ServiceUser::find()?;
        let earlier = Journal::read().map_err(paths::problem)?;
        if earlier.is_some() {
            // One that was killed has left the units masked.
            start_prevention::unmask_units()?;
        }
        Ok(Self {
            earlier,
            started: unit_start_command(&user)?,
            filesystem: Filesystem::of(room).map_err(paths::problem)?,
            served: serves_from(places.data.real()).is_ok(),
            held: None,
            journal,
            places,
            user,
        })
    }

    fn note(&mut self, stage: Stage) -> Result<()> {
        if stage == Stage::Switching && self.journal.wanted == 0 {
            let made = MarkedRoom::find(&self.places.making, self.journal.run);
            let made = made.map_err(paths::problem)?.ok_or_else(not_there)?;
            self.journal.wanted = inode(&made.data())?;
        }
        self.journal.stage = stage;
        self.journal.write().map_err(paths::problem)
    }

    fn build(&mut self, step: Step, wanted: &Wanted<'_>, pour: &mut Pour<'_>) -> Result<()> {
        match step {
            Step::DropUnfinished => self.drop_unfinished(),
            Step::Make => self.make(wanted, pour),
            Step::Sync => self.filesystem.sync().map_err(paths::problem),
            Step::Note(stage) => self.note(stage),
            _ => Ok(()),
        }
    }

    fn switch(&mut self) -> Result<()> {
        SWITCH.into_iter().try_for_each(|step| self.take(step))
    }

    /// Where the restored database does not serve, and the one that was there did, that one
    /// gets its place back: nobody has written into it, and nobody into the restored one.
    fn switch_or_go_back(&mut self) -> Result<()> {
        let Err(problem) = self.switch() else {
            return Ok(());
        };
        if !self.served {
            return Err(problem);
        }
        say("The restored database does not serve; going back to the one that was there.");
        let back = self.want_the_other().and_then(|()| self.switch());
        if back.is_err() {
            // It may still start, and the next run of the command goes on from here.
            let _ = self.take(Step::LetUnitsGo);
            let _ = self.take(Step::StartServer);
        }
        back?;
        self.remove_kept()?;
        Err(Problem::failed(
            format!("{} The database that was there serves again.", problem.what),
            problem.next,
        ))
    }

    fn want_the_other(&mut self) -> Result<()> {
        let real = inode(self.places.data.real()).ok();
        let room = self.room()?;
        let other = inode(&room.data())?;
        // Not exchanged yet: the one that is there is the other one.
        self.journal.wanted = match real {
            Some(real) if real != self.journal.wanted => real,
            _ => other,
        };
        self.note(Stage::Switching)
    }

    /// The room of the database that is not behind the gate.
    fn room(&self) -> Result<MarkedRoom> {
        for path in [&self.places.making, &self.places.kept] {
            let found = MarkedRoom::find(path, self.journal.run).map_err(paths::problem)?;
            if let Some(room) = found {
                return Ok(room);
            }
        }
        Err(not_there())
    }

    fn remove_kept(&self) -> Result<()> {
        let kept = MarkedRoom::find(&self.places.kept, self.journal.run);
        if let Some(kept) = kept.map_err(paths::problem)? {
            kept.delete().map_err(paths::problem)?;
        }
        clear()
    }
}

fn clear() -> Result<()> {
    Journal::clear().map_err(paths::problem)
}

fn inode(path: &Path) -> Result<u64> {
    let at = fs::symlink_metadata(path).map_err(paths::problem)?;
    Ok(at.ino())
}

fn not_there() -> Problem {
    Problem::failed(
        "The other database of the restore is not there.",
        "Was it moved, or is its disk not mounted? Then run the command again.",
    )
}

/// Prints a line at once.
fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
    output::flush();
}
