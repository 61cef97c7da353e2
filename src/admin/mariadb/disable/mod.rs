//! `stayput mariadb disable`: the way out. The database leaves the gate, and needs no
//! stayput any more.
//!
//! Either it stays encrypted, with its keys in a file of the owner's: what keeps them from
//! a thief is the owner's business then. Or it becomes a clear one ([`clear`]).
//! `stayput mariadb enable` leads back from both.

mod clear;
mod journal;
mod key_file;
mod moving;
mod plan;
mod start_guard;
mod state;

use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::installed_files;
use crate::admin::key_release;
use crate::admin::mariadb::check_file::{mark, read_check_file};
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::data_directory::{DataDirectory, is_empty_or_missing};
use crate::admin::mariadb::enable::{EnableOptions, preflight, replace_swap, worker};
use crate::admin::mariadb::launch::unit_start_command;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::run_records::find_original;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{KeySource, SETTINGS_FILE, key_source};
use crate::admin::mariadb::swap::{System, refuse_clear_memory};
use crate::admin::mariadb_service::{self, CHECK_FILE};
use crate::admin::open_vault::open_vault;
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::release;
use crate::release::mariadb::{CheckFile, KeyFault, MariadbRelease};

use journal::{Direction, Journal};
pub use state::{
    KEY_FILES, LOOKS_WITHIN, is_under_way, key_file_in_use, key_files_left, must_be_the_only_run,
};

/// How the database leaves the gate.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("way").required(true))]
pub struct DisableOptions {
    /// Keep the database encrypted, with its keys in this new file. Whoever takes the server can
    /// read the database then
    #[arg(long, value_name = "PATH", group = "way")]
    key_file: Option<PathBuf>,
    /// Copy the database into a clear one, which needs no key. Whoever takes the server can read
    /// it then
    #[arg(long, group = "way")]
    clear: bool,
    /// Go back to the encrypted original that --clear has left, as long as it is there; the clear
    /// copy is kept
    #[arg(long, group = "way", conflicts_with = "dry_run")]
    undo: bool,
    /// Go on although replicas still read this server's binary logs, which end here
    #[arg(long, requires = "clear")]
    discard_binary_logs: bool,
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
    /// Only say what stands in the way
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Takes MariaDB from behind the gate, or puts back what an interrupted run left.
///
/// # Errors
/// When something stands in the way. The server then runs as before, or the message
/// says what to do.
pub fn disable(options: &DisableOptions) -> Result<()> {
    needs_systemd()?;
    let _lock = worker::lock()?;
    put_back_interrupted(options.dry_run)?;
    match &options.key_file {
        Some(key_file) => to_key_file(options, key_file),
        None if options.undo => clear::undo(options),
        None => clear::to_clear(options),
    }
}

const NOT_TAKEN: &str = "MariaDB was not taken from behind the gate";

/// Has MariaDB take its keys from a new file at `key_file`.
fn to_key_file(options: &DisableOptions, key_file: &Path) -> Result<()> {
    if let KeySource::File(path) = key_source() {
        is_out(&path)?;
        let shown = path.display();
        let other = match path == key_file {
            true => "",
            false => " The file that you name was not written.",
        };
        say(format!("MariaDB has its keys in {shown} already.{other}"));
        if options.dry_run {
            return Ok(());
        }
        return forget_in_vault(unlock(&options.unlock)?);
    }
    let (check, data) = encrypted_database()?;
    preflight::no_other_server()?;
    let key_file = key_file::destination(key_file, &data)?;
    say(format!(
        "MariaDB's keys will stand in {path}: whoever takes this server, or its disk, can read \
         the database then. Keep a copy of that file elsewhere: without it the database is lost. \
         The vault and the sticks stay.",
        path = key_file.display()
    ));
    if options.dry_run {
        say("Nothing was changed.");
        return Ok(());
    }
    ask::confirm("MariaDB is stopped for some seconds. Go on?", options.yes)?;
    let unlocked = unlock(&options.unlock)?;
    let release = the_release(&unlocked, &check)?;
    // For the way back, if MariaDB does not start with that file.
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)?;
    installed_files::put_command()?;
    let journal = Journal {
        direction: Direction::Out,
        data: data.seen().to_owned(),
        key_file,
    };
    journal.write().map_err(paths::problem)?;
    let keys = release.key_file(unlocked.keys());
    let written = key_file::write(&journal.key_file, &keys, &ServiceUser::find()?);
    if written.is_err() {
        moving::back(&journal)?;
        return written;
    }
    // Else nobody could open the vault meanwhile.
    let key = unlocked.master_key().clone();
    drop(unlocked);
    worker::work(NOT_TAKEN)?;
    // The vault has the only keys of a database that is still behind the gate.
    if !moving::is_out(&DataDirectory::seen_at(data.seen()), &journal.key_file) {
        return Err(Problem::failed(
            format!("{NOT_TAKEN}; what was said last tells why."),
            "Run the command again.",
        ));
    }
    say(format!(
        "MariaDB is encrypted with the keys in {}, and starts without stayput.",
        journal.key_file.display()
    ));
    say("To have the keys away from this disk again: stayput mariadb enable");
    forget_in_vault(Unlocked::new(open_vault()?, key)?)
}

/// Puts a database whose keys are in a file of the owner's behind the gate again.
/// Returns whether this server has one.
///
/// # Errors
/// When something stands in the way. The server then runs as before, or the message
/// says what to do.
pub fn take_back(options: &EnableOptions) -> Result<bool> {
    // A way back to a clear original is not one behind the gate.
    let is_wanted = !options.undo && matches!(key_source(), KeySource::File(_));
    if !is_wanted && !is_under_way() {
        return Ok(false);
    }
    needs_systemd()?;
    let _lock = worker::lock()?;
    put_back_interrupted(options.dry_run)?;
    let KeySource::File(key_file) = key_source() else {
        return Ok(false);
    };
    let system = System::here();
    if options.swap.is_none() {
        refuse_clear_memory(&system)?;
    }
    let user = ServiceUser::find()?;
    let data = unit_start_command(&user)?.config.data_directory();
    let places = RunPaths::of(&data, Conversion::Encrypt);
    let check = [places.data.real(), places.data.seen()]
        .into_iter()
        .find_map(|at| mark(at, &data));
    preflight::no_other_server()?;
    preflight::version()?;
    if is_empty_or_missing(places.data.real()) {
        preflight::place(&data)?;
    }
    say(format!(
        "MariaDB has its keys in {path}. It goes behind the gate, and {path} is removed. Whoever \
         has a copy of that file can still open the database: a backup may hold one, and flash \
         memory (SSD, SD card) one that only its maker can read.",
        path = key_file.display()
    ));
    if options.dry_run {
        say("Nothing was changed.");
        return Ok(true);
    }
    ask::confirm("MariaDB is stopped for some seconds. Go on?", options.yes)?;
    replace_swap(options, &system)?;
    let mut unlocked = unlock(&options.unlock)?;
    let release = match &check {
        Some(check) => release_of(&user, &unlocked, check)?,
        None => moving::mark_anew(&data, &key_file, &user, unlocked.keys())?,
    };
    unlocked.set_mariadb(Some(release))?;
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)?;
    drop(unlocked);
    installed_files::put_command()?;
    places.make_root().map_err(paths::problem)?;
    let journal = Journal {
        direction: Direction::Back,
        data,
        key_file,
    };
    journal.write().map_err(paths::problem)?;
    worker::work("MariaDB was not put behind the gate")?;
    Ok(true)
}

/// Goes on with a move, if the unit was started for one.
///
/// # Errors
/// What stands in the way.
pub fn go_on() -> Result<bool> {
    with_journal(moving::go_on)
}

/// Puts back a move that did not end, if there is one.
///
/// # Errors
/// When that fails.
pub fn let_go() -> Result<bool> {
    with_journal(moving::let_go)
}

fn with_journal(act: fn(&Journal) -> Result<()>) -> Result<bool> {
    match Journal::read_or_refuse()? {
        None => Ok(false),
        Some(journal) => act(&journal).map(|()| true),
    }
}

fn put_back_interrupted(is_dry_run: bool) -> Result<()> {
    let interrupted = Journal::read_or_refuse()?;
    if is_dry_run && interrupted.is_some() {
        return Err(Problem::refused(
            "An earlier run was interrupted; there is nothing to rehearse.",
            "Run the command without --dry-run: it puts back first what that run has begun.",
        ));
    }
    if let Some(journal) = interrupted {
        say("An earlier run was interrupted; it is put back first.");
        // Of a run that was killed.
        crate::sys::hangup::outlive().map_err(|errno| paths::problem(errno.into()))?;
        moving::let_go(&journal)?;
    }
    Ok(())
}

/// Checks that the database is out of the gate, and that its settings were not just put
/// back from a backup.
fn is_out(key_file: &Path) -> Result<()> {
    let data = unit_start_command(&ServiceUser::find()?)?
        .config
        .data_directory();
    let is_out =
        key_file_in_use().is_some() && moving::is_out(&DataDirectory::seen_at(&data), key_file);
    match is_out {
        true => Ok(()),
        false => Err(Problem::refused(
            format!(
                "{SETTINGS_FILE} names {}, but the database is not out of the gate with the keys \
                 in that file. Nothing was changed.",
                key_file.display()
            ),
            "Run `stayput mariadb enable`: it puts the database behind the gate, whole.",
        )),
    }
}

fn needs_systemd() -> Result<()> {
    match systemd::running() {
        true => Ok(()),
        false => Err(Problem::refused(
            "systemd does not run this machine. Nothing was changed.",
            "Run the command on the server itself, not in an image of it.",
        )),
    }
}

/// The database behind the gate: with check values of its keys, served by MariaDB's
/// unit, and the only copy of it.
fn encrypted_database() -> Result<(CheckFile, DataDirectory)> {
    if let Some(original) = find_original().map_err(paths::problem)? {
        let conversion = original.conversion;
        return Err(Problem::refused(
            format!("{} Nothing was changed.", original.what()),
            format!(
                "Go back to the {} (`{}`), or end it: `stayput mariadb destroy-original`.",
                conversion.original(),
                conversion.undo_command()
            ),
        ));
    }
    if !mariadb_service::is_enabled() {
        return Err(Problem::refused(
            "MariaDB is not encrypted with keys from here. Nothing was changed.",
            "`stayput status` shows how things stand.",
        ));
    }
    let check = read_check_file()?;
    let data = DataDirectory::seen_at(Path::new(check.data_directory()));
    serves_from(data.real()).map_err(|problem| {
        Problem::refused(
            format!("{} Nothing was changed.", problem.what),
            "Start it (`systemctl start mariadb`), then run the command again.",
        )
    })?;
    if mark(data.real(), data.seen()).is_none() {
        return Err(Problem::refused(
            "The data directory lacks its copy of the check values. Nothing was changed.",
            format!(
                "Put it there, then run the command again: install -m 600 {CHECK_FILE} {}",
                paths::check_beside(&data).display()
            ),
        ));
    }
    Ok((check, data))
}

/// What the vault's policy gives MariaDB, if these are the keys of its database.
fn the_release(unlocked: &Unlocked, check: &CheckFile) -> Result<MariadbRelease> {
    let policy = unlocked.proven.policy.mariadb.clone().ok_or_else(|| {
        Problem::refused(
            "The vault gives MariaDB no keys. Nothing was changed.",
            "Run `stayput mariadb enable` first: it puts back what is lost.",
        )
    })?;
    fits(&policy, unlocked, check)?;
    Ok(policy)
}

fn fits(release: &MariadbRelease, unlocked: &Unlocked, check: &CheckFile) -> Result<()> {
    let keys: Vec<_> = release.keys(unlocked.keys()).collect();
    check.verify(&keys).map_err(other_keys)
}

/// What the vault gives MariaDB for a database with these check values.
fn release_of(
    user: &ServiceUser,
    unlocked: &Unlocked,
    check: &CheckFile,
) -> Result<MariadbRelease> {
    let found = MariadbRelease::of_database(user.uid, user.gid, check, unlocked.keys());
    found.map_err(other_keys)
}

fn other_keys(_: KeyFault) -> Problem {
    Problem::refused(
        "The database has other keys than this vault. Nothing was changed.",
        "Use the vault, or a backup stick, of the server that it comes from.",
    )
}

/// Has the next boot release no keys that nobody reads.
fn forget_in_vault(mut unlocked: Unlocked) -> Result<()> {
    if unlocked.proven.policy.mariadb.is_some() {
        unlocked.set_mariadb(None)?;
    }
    release::remove_keys()?;
    Ok(())
}

/// Prints a line at once.
fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
    output::flush();
}
