//! The original after the switch: how people are told of it, and its
//! destruction.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::admin::ask;
use crate::admin::durable::write_durably;
use crate::admin::mariadb::conversion::{Conversion, Form};
use crate::admin::mariadb::overwrite::{self, destroy as overwrite_all};
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{reload, systemctl};
use crate::release::notice::{self, Topic};
use crate::sys::clock;
use crate::vault::{EventKind, LoggedEvent};

use super::copy_mounts::SCRATCH;
use super::lost_journal::recover;
use super::proofs::{self, MayDestroy};
use super::{say, worker};
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::lost_journal::BEING_DESTROYED;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::run_records::{Original, find_original, kept_copies};

const UNIT: &str = "stayput-mariadb-original.service";
const PATH: &str = "/etc/systemd/system/stayput-mariadb-original.service";
const TEXT: &str = include_str!("../../../../systemd/stayput-mariadb-original.service");
const NEXT: &str = "`systemctl status stayput-mariadb-original` tells more.";

/// Puts the lines for whoever logs in, or removes them.
pub fn tell_at_login() {
    let mut lines = match find_original() {
        Ok(None) => String::new(),
        Ok(Some(original)) => format!("stayput: {} {}\n", original.what(), original.next()),
        Err(error) => format!("stayput: {error}\n"),
    };
    match kept_copies() {
        Ok(copies) => {
            for copy in copies.iter().filter(|copy| copy.is_clear()) {
                lines += &format!("stayput: {} {}\n", copy.what(), copy.next());
            }
        }
        Err(error) => lines += &format!("stayput: {error}\n"),
    }
    // A failure stops nothing.
    let _ = notice::put(Topic::Database, &lines);
}

/// Tells at the end of a run what becomes of the original.
pub fn tell_at_the_end(journal: &Journal) {
    tell_at_login();
    let original = Original::of(journal);
    say(match journal.conversion {
        Conversion::Encrypt => "MariaDB is encrypted and running.",
        Conversion::Decrypt => "MariaDB is in the clear and running; it needs no key.",
    });
    say(format!("{} {}", original.what(), original.next()));
}

/// Installs the unit that destroys the original after a real boot.
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

/// Ends the run: removes the journal, the line at log-in and the unit.
///
/// # Errors
/// What the filesystem or systemd says.
pub fn end() -> Result<()> {
    Journal::clear().map_err(paths::problem)?;
    tell_at_login();
    take_unit_away()
}

/// Destroys the original, or what an interruption left of it.
///
/// # Errors
/// When a file could not be overwritten: it is kept for the next try.
pub fn destroy(room: MarkedRoom, conversion: Conversion, _: MayDestroy) -> Result<()> {
    destroy_room(room, conversion.from())
}

/// Destroys what lies in a room: a clear database is overwritten, of an encrypted one
/// nobody reads what is left on the disk.
///
/// # Errors
/// When a file could not be overwritten: it is kept for the next try.
pub fn destroy_room(room: MarkedRoom, form: Form) -> Result<()> {
    if form == Form::Encrypted {
        // On a full disk the journal alone knows of it.
        let _ = write_durably(&room.file(BEING_DESTROYED), b"");
        room.delete().map_err(paths::problem)?;
        say("The encrypted files are removed.");
        return Ok(());
    }
    say("Overwriting the clear files.");
    overwrite(&room)?;
    room.delete().map_err(paths::problem)?;
    say(
        "The clear files are overwritten and removed. On an SSD, a flash card or a copy-on-write \
         filesystem copies of them can survive until the whole device is erased; run `fstrim -a` \
         as a first step.",
    );
    Ok(())
}

/// Overwrites what lies in a room.
///
/// # Errors
/// When a file could not be overwritten: it is kept for the next try.
pub fn overwrite(room: &MarkedRoom) -> Result<()> {
    // On a full disk the journal alone knows of it.
    let _ = write_durably(&room.file(BEING_DESTROYED), b"");
    let mut is_complete = true;
    for tree in [room.data(), room.file(SCRATCH)] {
        let report = overwrite_all(&tree, &mut |step| {
            // After a power cut nothing else knows of it.
            if let overwrite::Step::OtherName(path, inode) = step {
                say(format!(
                    "{} has another name outside (inode {inode}): its rows stay readable there.",
                    path.display()
                ));
            }
        })
        .map_err(paths::problem)?;
        report.lines().iter().for_each(say);
        is_complete &= report.is_complete();
    }
    if is_complete {
        return Ok(());
    }
    Err(Problem::failed(
        "Not all of the clear files could be overwritten.",
        "Look at `dmesg`: is the disk failing? Run the command again, or destroy the disk.",
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
        // A run is at work, and will destroy it at its end.
        Err(_) if options.when_due => return Ok(()),
        Err(problem) => return Err(problem),
    };
    let Some(mut journal) = recover()? else {
        if options.when_due {
            return Ok(());
        }
        return Err(Problem::refused(
            "There is no original of a database on this server.",
            "Nothing has to be done.",
        ));
    };
    let paths = RunPaths::of_run(&journal);
    let Some(noted) = proofs::noted(&journal) else {
        if !options.when_due && is_gone(&journal, &paths)? {
            return end_without(options, journal.conversion);
        }
        return refuse(
            options,
            "The run that made it was interrupted.",
            Original::of(&journal).next(),
        );
    };
    if options.when_due
        && let Err(why) = due(&journal)
    {
        tell_at_login();
        say(format!(
            "The {} stays for now: {why}.",
            journal.conversion.original()
        ));
        return Ok(());
    }
    // First, because without its disk the original is not seen either.
    let serving = proofs::serving(paths.home_of_copy())?;
    let room = MarkedRoom::find(&paths.original, journal.run).map_err(paths::problem)?;
    let Some(room) = room else {
        return end();
    };
    let unused = proofs::unused(&room.data())?;
    let on_disk = proofs::on_disk(&paths.filesystem().map_err(paths::problem)?)?;
    let permit = MayDestroy::with(&on_disk, &serving, &unused, &noted);
    if !options.when_due {
        ask::confirm(
            match journal.conversion {
                Conversion::Encrypt => {
                    "The clear original is destroyed. Without it the encrypted database is the \
                     only copy on this server. Go on?"
                }
                Conversion::Decrypt => {
                    "The encrypted original is removed. There is no way back to it then. Go on?"
                }
            },
            options.yes,
        )?;
    }
    journal.reach(Stage::Destroying).map_err(paths::problem)?;
    destroy(room, journal.conversion, permit)?;
    end()
}

/// Whether MariaDB serves from the copy, and the original is not on its disk.
fn is_gone(journal: &Journal, paths: &RunPaths) -> Result<bool> {
    let serves = proofs::serving(paths.home_of_copy()).is_ok();
    let room = MarkedRoom::find(&paths.original, journal.run).map_err(paths::problem)?;
    let holds = room.is_some_and(|room| room.data().exists());
    Ok(journal.stage == Stage::Starting && serves && !holds)
}

/// Ends a run whose original somebody has removed.
fn end_without(options: &DestroyOptions, conversion: Conversion) -> Result<()> {
    ask::confirm(
        &format!(
            "The {} is not there any more, and MariaDB serves from the {}. It was not counted \
             again. End the run?",
            conversion.original(),
            conversion.copy()
        ),
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

/// Whether this boot has proven the copy: the copy was made in an earlier boot, and the
/// boot stage has released the keys in this one, where it needs any.
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
    if journal.conversion == Conversion::Decrypt {
        return Ok(());
    }
    let vault = open_vault_read_only().map_err(|problem| problem.what)?;
    let events = vault.events().map_err(|error| error.to_string())?;
    let this_boot = clock::boot_id();
    let this_boot = |event: &&LoggedEvent| event.boot_id == this_boot;
    let has = |is: fn(&EventKind) -> bool| {
        let mut kinds = events.iter().filter(this_boot).map(|event| &event.kind);
        kinds.any(is)
    };
    let released = has(|kind| matches!(kind, EventKind::Released { .. }));
    // Then it was the running system that has released them.
    let went_on = has(|kind| matches!(kind, EventKind::WentOnLocked));
    if released && !went_on {
        return Ok(());
    }
    Err("this boot did not come by its keys in the initramfs".into())
}
