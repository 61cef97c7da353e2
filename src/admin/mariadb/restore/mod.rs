//! Puts a database from a backup in the place of the one behind the gate. It is made beside
//! that one, counted, and only then do the two change places; the other one is kept until
//! its owner lets it go. [`plan`] has the steps, and what follows where one fails.

mod compare;
mod journal;
mod make;
mod places;
mod plan;
mod role;
mod switch;
mod upgraded;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::admin::backup::{Tool, size};
use crate::admin::durable::{Filesystem, sync_directory};
use crate::admin::mariadb::backup_source::reads_files_of;
use crate::admin::mariadb::disable;
use crate::admin::mariadb::enable::{start_prevention, worker};
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::journal as conversion;
use crate::admin::mariadb::run_records::marked_room::RunId;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::version::of_mariadbd;
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::backup::{Method, TableRows};
use crate::sys::at_end::Changed;

use journal::{Journal, Stage};
use places::Places;
use plan::{BUILD, SERVE, Standing, Step, standing};

pub use compare::differences;
pub use role::Role;

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
    /// A person has said that other rows will do: they are shown, and it is restored.
    pub accepts_differences: bool,
}

/// Gives the decrypted stream of the database to a program.
pub type Pour<'a> = dyn FnMut(Tool) -> Result<()> + 'a;

/// What an earlier restore has left. `behind` is the one of its two databases that lies behind
/// the gate; `None` where it is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing, or what the next one removes.
    Nothing,
    /// Its two databases have changed places, and MariaDB was not seen to serve since.
    Interrupted { behind: Role },
    /// The other database is kept.
    Kept { behind: Option<Role> },
    /// The other database is being removed.
    Removing,
}

/// What an earlier restore has left.
///
/// # Errors
/// When its journal, or a database's mark, cannot be read.
pub fn earlier() -> Result<Earlier> {
    let Some(journal) = Journal::read().map_err(paths::problem)? else {
        return Ok(Earlier::Nothing);
    };
    let places = Places::of(&journal.data);
    let behind = places.behind(journal.run)?;
    Ok(match journal.stage {
        Stage::Building => Earlier::Nothing,
        Stage::Switching => {
            let aside = places.aside(journal.run)?;
            match standing(journal.wanted, behind, aside) {
                Standing::NotBegun => Earlier::Nothing,
                Standing::Exchanged => Earlier::Interrupted {
                    behind: journal.wanted,
                },
                Standing::Kept => Earlier::Kept { behind },
            }
        }
        Stage::Done => Earlier::Kept { behind },
        Stage::Removing => Earlier::Removing,
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
    places.must_have_room_to_keep()?;
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
    let _lock = alone()?;
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
        wanted: Role::Restored,
        served: false,
        number: wanted.number,
    })?;
    run.journal.served = run.serves;
    let made = BUILD
        .into_iter()
        .try_for_each(|step| run.build(step, wanted, pour));
    if let Err(problem) = made {
        // What cannot be removed now is removed by the next run.
        let _ = run.drop_unfinished().and_then(|()| clear());
        return Err(problem);
    }
    run.switch()
}

/// Finishes a restore that was interrupted when the two databases had changed places.
///
/// # Errors
/// As [`restore`].
pub fn finish() -> Result<()> {
    let _lock = alone()?;
    let mut run = Run::new(journal()?)?;
    run.must_be_behind_the_gate()?;
    say("An earlier restore was interrupted; finishing it.");
    run.go_through(SERVE)
}

/// Lets the database that is kept and the one behind the gate change places; that one is
/// kept then.
///
/// # Errors
/// As [`restore`].
pub fn undo() -> Result<()> {
    let _lock = alone()?;
    let mut run = Run::new(journal()?)?;
    run.must_be_behind_the_gate()?;
    run.name_kept()?;
    run.want_the_other()?;
    run.journal.served = run.serves;
    run.note(Stage::Switching)?;
    run.switch()
}

/// Removes the database that is kept, once MariaDB was seen to serve from the other one.
///
/// # Errors
/// When it does not serve, or files cannot be removed.
pub fn remove_kept() -> Result<()> {
    let _lock = alone()?;
    let mut run = Run::new(journal()?)?;
    if run.journal.stage != Stage::Removing {
        serves_from(run.places.data.real())?;
        // What is left of it when this is cut is no database.
        run.note(Stage::Removing)?;
    }
    if let Some((_, room)) = run.places.room(run.journal.run)? {
        room.delete().map_err(paths::problem)?;
    }
    Role::unmark(run.places.data.real()).map_err(paths::problem)?;
    clear()
}

fn journal() -> Result<Journal> {
    let journal = Journal::read().map_err(paths::problem)?;
    journal.ok_or_else(|| {
        Problem::refused(
            "No database of before a restore is kept. Nothing was changed.",
            "`stayput help restore` tells how it is used.",
        )
    })
}

/// Nothing else moves this server's data, or is about to.
fn alone() -> Result<worker::Lock> {
    let lock = worker::lock()?;
    must_be_the_only_run()?;
    Ok(lock)
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

/// A restore at work.
struct Run {
    journal: Journal,
    /// What an interrupted one has left.
    earlier: Option<Journal>,
    places: Places,
    user: ServiceUser,
    started: StartCommand,
    filesystem: Filesystem,
    /// MariaDB serves from the database that lies behind the gate now.
    serves: bool,
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
            serves: serves_from(places.data.real()).is_ok(),
            held: None,
            journal,
            places,
            user,
        })
    }

    /// # Errors
    /// Where this server's database is not, or not any more, the one that was restored.
    fn must_be_behind_the_gate(&self) -> Result<()> {
        let places = Places::find()?;
        match places.data.seen() == self.journal.data {
            true => Ok(()),
            false => Err(Problem::refused(
                format!(
                    "This server's database lies in {} now, and the restore was one of {}. \
                     Nothing was changed.",
                    places.data.seen().display(),
                    self.journal.data.display()
                ),
                "Remove what the restore has kept: stayput restore --remove-old",
            )),
        }
    }

    fn note(&mut self, stage: Stage) -> Result<()> {
        self.journal.stage = stage;
        self.journal.write().map_err(paths::problem)
    }

    fn build(&mut self, step: Step, wanted: &Wanted<'_>, pour: &mut Pour<'_>) -> Result<()> {
        match step {
            Step::DropUnfinished => self.drop_unfinished(),
            Step::Make => self.make(wanted, pour),
            Step::MarkBoth => self.mark_both(),
            Step::Sync => self.filesystem.sync().map_err(paths::problem),
            Step::Note(stage) => self.note(stage),
            _ => Ok(()),
        }
    }

    fn mark_both(&self) -> Result<()> {
        let io = paths::problem;
        let (_, room) = self.places.room(self.journal.run)?.ok_or_else(not_there)?;
        let restored = Role::Restored.mark(&room.data(), self.journal.run);
        restored.map_err(io)?;
        self.mark_behind(Role::Before)
    }

    /// What lies behind the gate is this one from now on. It may be gone: then it is empty.
    fn mark_behind(&self, role: Role) -> Result<()> {
        let io = paths::problem;
        let real = self.places.data.real();
        if !real.exists() {
            DirBuilder::new().mode(0o700).create(real).map_err(io)?;
            sync_directory(real).map_err(io)?;
        }
        role.mark(real, self.journal.run).map_err(io)
    }

    fn want_the_other(&mut self) -> Result<()> {
        let (_, aside) = self.places.aside(self.journal.run)?.ok_or_else(not_there)?;
        match self.places.behind(self.journal.run)? {
            Some(behind) if behind == aside => Err(Problem::refused(
                format!("Of the two databases both are {aside}. Nothing was changed."),
                "Somebody has copied one of them: look at both before you move them.",
            )),
            Some(_) => {
                self.journal.wanted = aside;
                Ok(())
            }
            None => {
                say("The database behind the gate was made anew since the restore; it is kept.");
                self.journal.wanted = aside;
                self.mark_behind(aside.other())
            }
        }
    }
}

fn clear() -> Result<()> {
    Journal::clear().map_err(paths::problem)
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
