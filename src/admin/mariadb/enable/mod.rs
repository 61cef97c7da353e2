//! `stayput mariadb enable`: from a server whose files anybody can read to
//! one whose files are worth nothing without the keys.
//!
//! Encrypting a database in place leaves clear pages behind. So a new data
//! directory is made: the old server is read into a new encrypted one, and both are
//! compared. It is rehearsed on the running server first.
//! Then a unit of its own stops MariaDB, copies, and puts the copy in the
//! original's place, behind the gate ([`plan`] has the steps). The original
//! stays, closed, until a real boot has proven the copy.
//!
//! `stayput mariadb disable --clear` goes the other way by the same steps; it begins in
//! the room `disable`.

mod already_encrypted;
pub(super) mod copy_mounts;
mod database_keys;
pub(super) mod dependent_units;
mod destroy_copy;
pub(super) mod earlier_run;
mod going_back;
mod let_go;
pub(super) mod lost_journal;
mod original;
mod orphans;
pub(super) mod other_files;
mod plan;
pub(super) mod preflight;
mod proofs;
pub(super) mod rehearsal;
mod reset;
mod restore;
mod run;
pub(super) mod start_prevention;
pub(super) mod stopping;
mod undo;
mod unused_copy;
pub(super) mod worker;

use std::path::Path;

use crate::admin::ask;
use crate::admin::durable::write_durably;
use crate::admin::installed_files;
use crate::admin::key_release;
use crate::admin::mariadb_service;
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::keys::Keyring;
use crate::release::mariadb::{CheckFile, MariadbRelease};

use crate::admin::mariadb::cold_backups;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{Client, Leftover, leftovers_of_settings};
use crate::admin::mariadb::data_directory::holds_something;
use crate::admin::mariadb::launch::probe::settings_would_be_read;
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::swap::{self, SwapChoice, System};

use crate::admin::mariadb::run_records::find_original;
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::marked_room::RunId;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use already_encrypted::{adopt, refresh};
use database_keys::DatabaseKeys;
use earlier_run::Next;

pub use destroy_copy::{DestroyCopyOptions, run as destroy_copy};
pub use let_go::let_go;
pub use original::{DestroyOptions, run as destroy_original, tell_at_login};
pub use rehearsal::left_behind as rehearsal_left_behind;
pub use reset::{DESTROY_CLEAR, in_a_reset};
pub use run::go_on;
pub use worker::{RunInAnAlarm, end_decryption_in_an_alarm, wait_for_earlier_run};

/// How MariaDB is encrypted.
#[derive(Clone, Debug, clap::Args)]
pub struct EnableOptions {
    /// Do not ask whether to go on
    #[arg(long)]
    pub(super) yes: bool,
    /// Do everything but stop, switch and destroy: says what stands in the way, and how long the
    /// database will be away
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Destroy the clear original at the end, not after the next start of the server
    #[arg(long, conflicts_with = "keep_original")]
    destroy_original: bool,
    /// Never destroy the clear original by itself
    #[arg(long)]
    keep_original: bool,
    /// Go back to the clear original, as long as it is there; the encrypted copy is kept
    #[arg(long, conflicts_with_all = ["dry_run", "destroy_original", "keep_original"])]
    pub(super) undo: bool,
    /// Go on although replicas still read this server's binary logs, which end here
    #[arg(long)]
    discard_binary_logs: bool,
    /// Encrypt with the keys that the vault gives MariaDB already: a backup that is to be
    /// restored here has those
    #[arg(long)]
    known_keys: bool,
    /// Replace clear swap, in which keys could get onto the disk
    #[arg(long, value_name = "HOW")]
    pub(super) swap: Option<SwapChoice>,
    #[command(flatten)]
    pub(super) unlock: UnlockOptions,
}

impl EnableOptions {
    fn ends(&self) -> OriginalEnds {
        match (self.destroy_original, self.keep_original) {
            (true, _) => OriginalEnds::Now,
            (_, true) => OriginalEnds::Never,
            _ => OriginalEnds::AfterBoot,
        }
    }
}

/// Encrypts this machine's MariaDB, or goes on with an interrupted run.
///
/// # Errors
/// When something stands in the way. The server then runs as before, or the
/// message says what to do.
pub fn enable(options: &EnableOptions) -> Result<()> {
    if !systemd::running() {
        return Err(Problem::refused(
            "systemd does not run this machine. Nothing was changed.",
            "Run the command on the server itself, not in an image of it.",
        ));
    }
    let _lock = worker::lock()?;
    // Without a vault there is no key to encrypt with.
    drop(open_vault_read_only()?);
    let user = ServiceUser::find()?;
    let journal = lost_journal::recover()?;
    if journal.is_some() {
        // A run that was killed may have left the units masked.
        start_prevention::unmask_units()?;
    }
    earlier_run::refuse_other_way(journal.as_ref(), Conversion::Encrypt)?;
    if options.undo {
        return earlier_run::take_back(journal, Conversion::Encrypt, options.yes, |_| Ok(()));
    }
    match (
        earlier_run::next(journal.as_ref(), options.dry_run)?,
        journal,
    ) {
        (Next::TakeBack, Some(mut journal)) => earlier_run::hand_over(&mut journal),
        (Next::GoOn, Some(mut journal)) => {
            if options.keep_original || options.destroy_original {
                journal.ends = options.ends();
            }
            work(options, &user, &journal, DatabaseKeys::AsBefore)
        }
        (Next::Ended, Some(journal)) => ended(options, &user, journal),
        (_, journal) => {
            let is_left = journal.as_ref();
            let is_left = is_left.is_some_and(|journal| journal.stage != Stage::Rehearsing);
            match mariadb_service::is_enabled() && !is_left {
                true => refresh(options, &user),
                false => anew(options, &user, journal),
            }
        }
    }
}

/// After a run whose copy serves: renews what belongs to it.
fn ended(options: &EnableOptions, user: &ServiceUser, mut journal: Journal) -> Result<()> {
    if options.keep_original && journal.stage == Stage::Waiting && !options.dry_run {
        journal.ends = OriginalEnds::Never;
        journal.write().map_err(paths::problem)?;
    }
    match mariadb_service::is_enabled() {
        true => refresh(options, user)?,
        false => adopt(options, user, &RunPaths::of_run(&journal))?,
    }
    let original = find_original().map_err(paths::problem)?;
    if let Some(original) = original {
        say(format!("{} {}", original.what(), original.next()));
    }
    Ok(())
}

/// Replaces clear swap if the owner asked for it, also on a server that was
/// encrypted before.
pub(super) fn replace_swap(options: &EnableOptions, system: &System) -> Result<()> {
    let Some(choice) = options.swap else {
        return Ok(());
    };
    swap::apply(choice, system)?;
    swap::refuse_clear_memory(system)
}

/// Encrypts a clear server, after undoing what an interrupted run left.
fn anew(options: &EnableOptions, user: &ServiceUser, interrupted: Option<Journal>) -> Result<()> {
    // First, because what that run has set is in the way of all checks below.
    if let Some(journal) = &interrupted {
        earlier_run::throw_away(journal)?;
    }
    let system = System::here();
    if options.swap.is_none() {
        swap::refuse_clear_memory(&system)?;
    }
    let started = unit_start_command(user)?;
    let paths = RunPaths::of(&started.config.data_directory(), Conversion::Encrypt);
    if holds_something(paths.data.real()) {
        return adopt(options, user, &paths);
    }
    preflight::layout(&started.config)?;
    preflight::rooms(&paths)?;
    settings_would_be_read(user)?;
    preflight::version()?;
    preflight::space(&paths.data, Conversion::Encrypt)?;
    runs_alone(&paths)?;

    let client = client_of(&started)?;
    let arguments = &started.arguments;
    let copied = rehearsal::rehearse(&client, *user, arguments, &paths, Conversion::Encrypt)?;
    tell(&copied.leftovers, leftovers_of_settings(&started.config));
    other_files::tell(
        &client,
        paths.data.seen(),
        Conversion::Encrypt,
        options.discard_binary_logs,
    )?;
    let jobs = cold_backups::find_cold_backups(Path::new("/"), paths.data.seen());
    for sentence in cold_backups::sentences(&jobs).into_iter().flatten() {
        say(format!("{sentence} {}", cold_backups::NEXT));
    }
    let away = rehearsal::say_forecast(&copied);
    if options.dry_run {
        say("Nothing was changed.");
        return Ok(());
    }
    ask::confirm(
        &format!(
            "MariaDB is stopped for about {away}; then it runs encrypted. {} Go on?",
            match options.ends() {
                OriginalEnds::AfterBoot =>
                    "The clear original is destroyed after the next start of the server.",
                OriginalEnds::Now => "The clear original is destroyed at the end.",
                OriginalEnds::Never => "The clear original stays.",
            }
        ),
        options.yes,
    )?;
    replace_swap(options, &system)?;
    let journal = Journal {
        conversion: Conversion::Encrypt,
        run: RunId::new(),
        stage: Stage::Building,
        data: paths.data.seen().to_owned(),
        ends: options.ends(),
        since: 0,
        boot: paths::boot_id(),
    };
    let keys = match options.known_keys {
        true => DatabaseKeys::AsBefore,
        false => DatabaseKeys::New,
    };
    work(options, user, &journal, keys)
}

/// Refuses unless the unit's own mariadbd runs in the data directory that its
/// settings name, and no other one runs.
fn runs_alone(paths: &RunPaths) -> Result<()> {
    preflight::no_other_server()?;
    serves_from(paths.data.seen()).map(drop).map_err(|problem| {
        Problem::refused(
            format!("{} Nothing was changed.", problem.what),
            "Start it (`systemctl start mariadb`) and see that it holds your data; then run the \
             command again.",
        )
    })
}

/// Releases the keys, leaves the check file's text for the unit, and lets the unit
/// do the work.
fn work(
    options: &EnableOptions,
    user: &ServiceUser,
    journal: &Journal,
    database: DatabaseKeys<'_>,
) -> Result<()> {
    installed_files::put_command()?;
    let check = release_keys_and_check(options, user, &journal.data, database)?;
    let text = run::check_text();
    write_durably(&text, check.to_text().as_bytes()).map_err(paths::problem)?;
    journal.write().map_err(paths::problem)?;
    worker::work("The database was not encrypted")
}

/// Has the vault give MariaDB its keys, and releases them.
fn release_keys(
    options: &EnableOptions,
    user: &ServiceUser,
    database: DatabaseKeys<'_>,
) -> Result<(MariadbRelease, Keyring)> {
    let mut unlocked = unlock(&options.unlock)?;
    let keys = unlocked.keys().clone();
    let known = unlocked.proven.policy.mariadb.as_ref();
    let release = database.release(user, &keys, known);
    let release = release.map_err(|_| {
        Problem::refused(
            "The database has other keys than this vault. Nothing was changed.",
            "Use the vault, or a backup stick, of the server that it comes from.",
        )
    })?;
    unlocked.set_mariadb(Some(release.clone()))?;
    key_release::release_keys(&keys, &unlocked.proven.policy)?;
    Ok((release, keys))
}

fn release_keys_and_check(
    options: &EnableOptions,
    user: &ServiceUser,
    seen: &Path,
    database: DatabaseKeys<'_>,
) -> Result<CheckFile> {
    let (release, keys) = release_keys(options, user, database)?;
    let seen = seen.to_string_lossy();
    release.check_file(&keys, &seen).map_err(|_| {
        Problem::refused(
            format!("The path {seen} cannot be written into the check file."),
            "Choose a data directory with a shorter path without line breaks.",
        )
    })
}

fn tell(tables: &[Leftover], settings: Vec<Leftover>) {
    say("This will stay readable on the disk:");
    for Leftover { what, mend, .. } in tables.iter().chain(&settings) {
        say(format!("  - {what}\n      {mend}"));
    }
}

/// A client of the unit's own server, at the socket that its settings name.
pub(super) fn client_of(started: &StartCommand) -> Result<Client> {
    let socket = started.config.value("socket");
    Client::of_the_unit(Path::new(socket.unwrap_or("/run/mysqld/mysqld.sock")))
}

/// Prints a line at once.
fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
    output::flush();
}
