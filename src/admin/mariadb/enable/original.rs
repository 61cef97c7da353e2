//! The clear original after the switch: what is known of it, what ends it,
//! and its destruction.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::admin::durable::write_durably;
use crate::admin::log::time;
use crate::admin::mariadb::overwrite::{self, destroy as overwrite_all};
use crate::admin::open_vault::look_at_vault;
use crate::admin::systemd::{reload, systemctl};
use crate::admin::{Problem, Result, ask};
use crate::release::notice::{self, Topic};
use crate::sys::clock;
use crate::vault::EventKind;

use super::journal::{Journal, OriginalEnds, Stage};
use super::marks::Marked;
use super::places::{self, Places};
use super::proofs::{self, MayDestroy};
use super::{lost, say, worker};

const UNIT: &str = "stayput-mariadb-original.service";
const PATH: &str = "/etc/systemd/system/stayput-mariadb-original.service";
const TEXT: &str = include_str!("../../../../systemd/stayput-mariadb-original.service");
const NEXT: &str = "`systemctl status stayput-mariadb-original` tells more.";

/// In the room of an original that is no longer whole.
pub const BEING_DESTROYED: &str = "being-destroyed";

/// A copy of the database that anybody with the disk can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClearOriginal {
    pub path: PathBuf,
    /// Seconds since 1970; `None` where MariaDB still works in it.
    pub since: Option<u64>,
    pub ends: Ends,
}

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// The run that was interrupted: it has to be run again.
    Run,
    /// The next start of the server through initramfs, key and gate.
    Boot,
    /// It is being destroyed.
    UnderWay,
    /// Its owner wanted it kept.
    Owner,
}

impl ClearOriginal {
    fn of(journal: &Journal) -> Self {
        let ends = match (journal.stage, journal.ends) {
            (Stage::Destroying, _) => Ends::UnderWay,
            // With `Now`: stopped between the last proof and the destruction.
            (Stage::Waiting, OriginalEnds::AfterBoot | OriginalEnds::Now) => Ends::Boot,
            (Stage::Waiting, OriginalEnds::Never) => Ends::Owner,
            _ => Ends::Run,
        };
        Self {
            path: Places::of(&journal.data).original,
            since: (journal.since > 0).then_some(journal.since),
            ends,
        }
    }

    /// What it is, in one sentence.
    pub fn what(&self) -> String {
        let path = self.path.display();
        match (self.ends, self.since) {
            (Ends::Run, _) => {
                "`stayput mariadb enable` was interrupted; the database is in the clear.".into()
            }
            (_, Some(since)) => format!(
                "A clear copy of the database is in {path}, since {}.",
                time(since)
            ),
            (_, None) => format!("A clear copy of the database is in {path}."),
        }
    }

    /// What ends it, in one sentence.
    pub fn next(&self) -> &'static str {
        match self.ends {
            Ends::Run => "Run `stayput mariadb enable` again: it goes on or undoes.",
            Ends::Boot => {
                "It is destroyed by itself once the server has started again and MariaDB serves."
            }
            Ends::UnderWay => "It is being destroyed.",
            Ends::Owner => {
                "Destroy it when it is no longer needed: stayput mariadb destroy-original"
            }
        }
    }
}

/// The clear original of this server, if there is one.
///
/// # Errors
/// When the journal cannot be read: then nobody knows.
pub fn find() -> std::io::Result<Option<ClearOriginal>> {
    let journal = lost::find()?;
    // A rehearsal leaves the server as it was.
    let run = journal.filter(|journal| journal.stage != Stage::Rehearsing);
    Ok(run.as_ref().map(ClearOriginal::of))
}

/// Puts the line for whoever logs in, or takes it away.
pub fn tell_at_login() {
    let words = match find() {
        Ok(None) => String::new(),
        Ok(Some(original)) => format!("stayput: {} {}\n", original.what(), original.next()),
        Err(error) => format!("stayput: {error}\n"),
    };
    // Nothing depends on it.
    let _ = notice::put(Topic::Database, &words);
}

/// What the end of a run says of it.
pub fn tell_at_the_end(journal: &Journal) {
    tell_at_login();
    let original = ClearOriginal::of(journal);
    say("MariaDB is encrypted and running.");
    say(format!("{} {}", original.what(), original.next()));
}

/// The unit that destroys it after a real boot.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn put_unit(ends: OriginalEnds) -> Result<()> {
    if ends == OriginalEnds::Never {
        return Ok(());
    }
    write_durably(Path::new(PATH), TEXT.as_bytes()).map_err(places::problem)?;
    reload()?;
    systemctl(&["enable", "--quiet", UNIT], NEXT)
}

/// Undoes [`put_unit`].
///
/// # Errors
/// What the filesystem or systemd says.
pub fn take_unit_away() -> Result<()> {
    if !Path::new(PATH).exists() {
        return Ok(());
    }
    systemctl(&["disable", "--quiet", UNIT], NEXT)?;
    match fs::remove_file(PATH) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(places::problem(error)),
        _ => reload(),
    }
}

/// Nothing is left of the run.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn end() -> Result<()> {
    Journal::clear().map_err(places::problem)?;
    tell_at_login();
    take_unit_away()
}

/// Destroys the original. Takes up what an interruption left.
///
/// # Errors
/// When a file could not be overwritten: it is kept for the next try.
pub fn destroy(room: Marked, _: MayDestroy) -> Result<()> {
    say("Overwriting the old files.");
    overwrite(&room)?;
    room.delete().map_err(places::problem)?;
    say(
        "The old files are overwritten and removed. On an SSD, a flash card or a copy-on-write \
         filesystem copies of them can survive until the whole device is erased; run `fstrim -a` \
         as a first step.",
    );
    Ok(())
}

fn overwrite(room: &Marked) -> Result<()> {
    // On a full disk it is the journal alone that knows of it.
    let _ = write_durably(&room.file(BEING_DESTROYED), b"");
    let report = overwrite_all(&room.data(), &mut |step| {
        // After a power cut nothing else knows of it.
        if let overwrite::Step::OtherName(path, inode) = step {
            say(format!(
                "{} has another name outside (inode {inode}): its rows stay readable there.",
                path.display()
            ));
        }
    })
    .map_err(places::problem)?;
    for line in report.lines() {
        say(line);
    }
    if report.is_complete() {
        return Ok(());
    }
    Err(Problem::failed(
        "Not all of the old files could be overwritten.",
        "Look at `dmesg`: is the disk failing? Run `stayput mariadb destroy-original` again, or \
         destroy the disk.",
    ))
}

/// How a person, or the unit, asks for the destruction.
#[derive(Clone, Debug, clap::Args)]
pub struct DestroyOptions {
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
    /// Only when a boot has proven the copy (stayput-mariadb-original.service runs it)
    #[arg(long, hide = true)]
    when_due: bool,
}

/// `stayput mariadb destroy-original`.
///
/// # Errors
/// When there is none, or not everything was proven.
pub fn run(options: &DestroyOptions) -> Result<()> {
    let _lock = match worker::lock() {
        Ok(lock) => lock,
        // A run is at work; its own end comes back to this.
        Err(_) if options.when_due => return Ok(()),
        Err(problem) => return Err(problem),
    };
    let Some(mut journal) = lost::take_up()? else {
        if options.when_due {
            return Ok(());
        }
        return Err(Problem::refused(
            "There is no clear original on this server.",
            "Nothing has to be done.",
        ));
    };
    let places = Places::of(&journal.data);
    let Some(noted) = proofs::noted(&journal) else {
        if !options.when_due && is_gone(&journal, &places)? {
            return end_without(options);
        }
        return refuse(
            options,
            "The run that made it was interrupted.",
            ClearOriginal::of(&journal).next(),
        );
    };
    if options.when_due
        && let Err(why) = due(&journal)
    {
        tell_at_login();
        say(format!("The clear original stays for now: {why}."));
        return Ok(());
    }
    // First: where its disk is not mounted, the original is not seen either.
    let serving = proofs::serving(places.data.real())?;
    let room = Marked::find(&places.original, journal.run).map_err(places::problem)?;
    let Some(room) = room else {
        return end();
    };
    let unused = proofs::unused(&room.data())?;
    let on_disk = proofs::on_disk(&places.filesystem().map_err(places::problem)?)?;
    let permit = MayDestroy::with(&on_disk, &serving, &unused, &noted);
    if !options.when_due {
        ask::confirm(
            "The clear original is destroyed. Without it the encrypted database is the only copy \
             on this server. Go on?",
            options.yes,
        )?;
    }
    journal.reach(Stage::Destroying).map_err(places::problem)?;
    destroy(room, permit)?;
    end()
}

/// Whether MariaDB serves from the copy, and the original is not on its disk.
fn is_gone(journal: &Journal, places: &Places) -> Result<bool> {
    let serves = proofs::serving(places.data.real()).is_ok();
    let room = Marked::find(&places.original, journal.run).map_err(places::problem)?;
    let holds = room.is_some_and(|room| room.data().exists());
    Ok(journal.stage == Stage::Starting && serves && !holds)
}

/// Somebody has removed the original before the run had ended.
fn end_without(options: &DestroyOptions) -> Result<()> {
    ask::confirm(
        "The clear original is not there any more, and MariaDB serves from the encrypted copy. \
         It was not counted again. End the run?",
        options.yes,
    )?;
    end()
}

fn refuse(options: &DestroyOptions, what: &str, next: &str) -> Result<()> {
    if options.when_due {
        tell_at_login();
        say(format!("{what} {next}"));
        return Ok(());
    }
    Err(Problem::refused(
        format!("{what} Nothing was changed."),
        next,
    ))
}

/// Whether this boot has proven the copy: it is not the one in which the copy
/// was made, and the boot stage has released the keys in it.
fn due(journal: &Journal) -> std::result::Result<(), String> {
    if journal.stage == Stage::Destroying {
        return Ok(());
    }
    if journal.ends == OriginalEnds::Never {
        return Err("its owner wanted it kept".into());
    }
    if places::boot_id() == journal.boot {
        return Err("the server was not started since".into());
    }
    let vault = look_at_vault().map_err(|problem| problem.what)?;
    let events = vault.events().map_err(|error| error.to_string())?;
    let this_boot = clock::boot_id();
    let released = events.iter().any(|event| {
        event.boot_id == this_boot && matches!(event.kind, EventKind::Released { .. })
    });
    if released {
        return Ok(());
    }
    Err("this boot did not come by its keys in the initramfs".into())
}

/// What becomes of a database in a reset, as a part of its announcement.
pub fn in_a_reset() -> &'static str {
    match lost::find() {
        Ok(None) => "",
        Ok(Some(journal)) if journal.stage < Stage::Starting => {
            "The database itself is still in the clear (`stayput mariadb enable` was interrupted), \
             and stays.\n"
        }
        _ => "The clear original of the database, which is still on this disk, is destroyed.\n",
    }
}

/// What `stayput reset` does with it: destroyed at once, without any proof,
/// because it shall be readable by nobody. What fails is said, and stops
/// nothing.
pub fn destroy_for_reset() {
    let mut journal = match lost::find() {
        Ok(Some(journal)) => journal,
        Ok(None) => return,
        Err(error) => {
            return say(format!(
                "NOT DESTROYED: perhaps a clear original of the database ({error})."
            ));
        }
    };
    let places = Places::of(&journal.data);
    let Ok(Some(room)) = Marked::find(&places.original, journal.run) else {
        if journal.stage > Stage::Building {
            say(format!(
                "NOT DESTROYED: a clear original in {}, which is not there. Is its disk mounted?",
                places.original.display()
            ));
        }
        return;
    };
    if journal.stage < Stage::Starting {
        // The copy has no place yet: without the original there is nothing.
        say(format!(
            "{} stays: it is the only copy that can be started.",
            room.data().display()
        ));
        return;
    }
    say("Overwriting the clear original of the database.");
    // As it stands after this, there is no way back.
    let destroyed = journal
        .reach(Stage::Destroying)
        .map_err(places::problem)
        .and_then(|()| overwrite(&room))
        .and_then(|()| room.delete().map_err(places::problem))
        .and_then(|()| end());
    if let Err(problem) = destroyed {
        say(format!("Not all of it was destroyed: {problem}"));
    }
}
