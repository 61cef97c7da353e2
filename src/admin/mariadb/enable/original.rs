//! The clear original after the switch: what is known of it, what ends it,
//! and its destruction.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::admin::ask;
use crate::admin::durable::write_durably;
use crate::admin::mariadb::overwrite::{self, destroy as overwrite_all};
use crate::admin::open_vault::look_at_vault;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{reload, systemctl};
use crate::release::notice::{self, Topic};
use crate::sys::clock;
use crate::vault::EventKind;

use super::proofs::{self, MayDestroy};
use super::{say, worker};
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::lost_journal::{self, BEING_DESTROYED};
use crate::admin::mariadb::run_records::marked_room::Marked;
use crate::admin::mariadb::run_records::paths::{self, Places};
use crate::admin::mariadb::run_records::{ClearOriginal, find_original};

const UNIT: &str = "stayput-mariadb-original.service";
const PATH: &str = "/etc/systemd/system/stayput-mariadb-original.service";
const TEXT: &str = include_str!("../../../../systemd/stayput-mariadb-original.service");
const NEXT: &str = "`systemctl status stayput-mariadb-original` tells more.";

/// Puts the line for whoever logs in, or takes it away.
pub fn tell_at_login() {
    let words = match find_original() {
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
    write_durably(Path::new(PATH), TEXT.as_bytes()).map_err(paths::problem)?;
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
        Err(error) if error.kind() != ErrorKind::NotFound => Err(paths::problem(error)),
        _ => reload(),
    }
}

/// Nothing is left of the run.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn end() -> Result<()> {
    Journal::clear().map_err(paths::problem)?;
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
    room.delete().map_err(paths::problem)?;
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
    .map_err(paths::problem)?;
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
    let Some(mut journal) = super::lost_journal::take_up()? else {
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
    let room = Marked::find(&places.original, journal.run).map_err(paths::problem)?;
    let Some(room) = room else {
        return end();
    };
    let unused = proofs::unused(&room.data())?;
    let on_disk = proofs::on_disk(&places.filesystem().map_err(paths::problem)?)?;
    let permit = MayDestroy::with(&on_disk, &serving, &unused, &noted);
    if !options.when_due {
        ask::confirm(
            "The clear original is destroyed. Without it the encrypted database is the only copy \
             on this server. Go on?",
            options.yes,
        )?;
    }
    journal.reach(Stage::Destroying).map_err(paths::problem)?;
    destroy(room, permit)?;
    end()
}

/// Whether MariaDB serves from the copy, and the original is not on its disk.
fn is_gone(journal: &Journal, places: &Places) -> Result<bool> {
    let serves = proofs::serving(places.data.real()).is_ok();
    let room = Marked::find(&places.original, journal.run).map_err(paths::problem)?;
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
    if paths::boot_id() == journal.boot {
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
    match lost_journal::find() {
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
    let mut journal = match lost_journal::find() {
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
        .map_err(paths::problem)
        .and_then(|()| overwrite(&room))
        .and_then(|()| room.delete().map_err(paths::problem))
        .and_then(|()| end());
    if let Err(problem) = destroyed {
        say(format!("Not all of it was destroyed: {problem}"));
    }
}
