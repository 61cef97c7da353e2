//! `stayput mariadb disable --clear`: the encrypted database becomes a clear one, by the
//! steps with which `enable` encrypts it.
//!
//! A private server writes the copy; it is compared, takes its place where MariaDB looks,
//! and gate and settings go. The encrypted original stays, closed, until the server has
//! started once more with the clear one; until then `--undo` goes back to it.

use crate::admin::ask;
use crate::admin::installed_files;
use crate::admin::key_release;
use crate::admin::mariadb::check_file::mark;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::enable::earlier_run::{self, Next};
use crate::admin::mariadb::enable::{
    client_of, lost_journal, other_files, preflight, rehearsal, start_prevention, worker,
};
use crate::admin::mariadb::launch::{StartCommand, unit_start_command};
use crate::admin::mariadb::run_records::Original;
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::marked_room::RunId;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::{KeySource, key_source};
use crate::admin::mariadb_service;
use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{Unlocked, unlock};
use crate::keys::MasterKey;
use crate::release::mariadb::MariadbRelease;

use super::{DisableOptions, encrypted_database, forget_in_vault, release_of, say, the_release};

const FAILED: &str = "The database is not in the clear";

/// Makes the database clear, or goes on with an interrupted run.
///
/// # Errors
/// When something stands in the way. The server then runs as before, or the message says
/// what to do.
pub fn to_clear(options: &DisableOptions) -> Result<()> {
    let user = ServiceUser::find()?;
    let journal = earlier()?;
    match (
        earlier_run::next(journal.as_ref(), options.dry_run)?,
        journal,
    ) {
        (Next::TakeBack, Some(mut journal)) => {
            release_for_original(options, &user, &RunPaths::of_run(&journal))?;
            earlier_run::hand_over(&mut journal)
        }
        (Next::GoOn, Some(journal)) => {
            let unlocked = unlock(&options.unlock)?;
            key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)?;
            work(unlocked, &journal)
        }
        (Next::Ended, Some(journal)) => {
            let original = Original::of(&journal);
            say(format!("{} {}", original.what(), original.next()));
            match options.dry_run {
                true => Ok(()),
                false => forget_in_vault(unlock(&options.unlock)?),
            }
        }
        (_, journal) => anew(options, &user, journal),
    }
}

/// `stayput mariadb disable --undo`: back to the encrypted original, while it is there.
///
/// # Errors
/// When there is nothing to go back to, or the vault does not open.
pub fn undo(options: &DisableOptions) -> Result<()> {
    let user = ServiceUser::find()?;
    let journal = earlier()?;
    let prepare = |paths: &RunPaths| release_for_original(options, &user, paths);
    earlier_run::take_back(journal, Conversion::Decrypt, options.yes, prepare)
}

/// The journal of an earlier run this way.
fn earlier() -> Result<Option<Journal>> {
    let journal = lost_journal::recover()?;
    if journal.is_some() {
        // A run that was killed may have left the units masked.
        start_prevention::unmask_units()?;
    }
    earlier_run::refuse_other_way(journal.as_ref(), Conversion::Decrypt)?;
    Ok(journal)
}

/// Has the vault give MariaDB its keys again, and releases them.
fn release_for_original(
    options: &DisableOptions,
    user: &ServiceUser,
    paths: &RunPaths,
) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    let seen = paths.data.seen();
    let places = [paths.original.join("data"), paths.data.real().to_owned()];
    let generation = unlocked.keys().generation();
    let release = match places.iter().find_map(|at| mark(at, seen)) {
        Some(check) => release_of(user, &unlocked, &check)?,
        None => MariadbRelease::new(user.uid, user.gid, generation),
    };
    if unlocked.proven.policy.mariadb.is_none() {
        unlocked.set_mariadb(Some(release))?;
    }
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)
}

fn anew(options: &DisableOptions, user: &ServiceUser, interrupted: Option<Journal>) -> Result<()> {
    if let Some(journal) = &interrupted {
        earlier_run::throw_away(journal)?;
    }
    if let KeySource::File(path) = key_source() {
        return Err(Problem::refused(
            format!(
                "MariaDB has its keys in {}, not from here. Nothing was changed.",
                path.display()
            ),
            "Run `stayput mariadb enable` first: it puts the database behind the gate. Then run \
             this command again.",
        ));
    }
    if interrupted.is_none() && !mariadb_service::is_enabled() && key_source() == KeySource::Nowhere
    {
        return forget_after_the_end(options);
    }
    let (check, data) = encrypted_database()?;
    preflight::no_other_server()?;
    let paths = RunPaths::of(data.seen(), Conversion::Decrypt);
    preflight::rooms(&paths)?;
    preflight::space(&data, Conversion::Decrypt)?;
    let started = unit_start_command(user)?;
    let away = rehearse(options, user, &started, &paths)?;
    say(
        "Afterwards whoever takes this server, or its disk, can read the database. What is \
         written for it may stay readable on the disk also if you go back. The vault and the \
         sticks stay.",
    );
    if options.dry_run {
        say("Nothing was changed.");
        return Ok(());
    }
    ask::confirm(
        &format!(
            "MariaDB is stopped for about {away}; then it runs in the clear. The encrypted \
             original is removed after the next start of the server. Go on?"
        ),
        options.yes,
    )?;
    let unlocked = unlock(&options.unlock)?;
    the_release(&unlocked, &check)?;
    // The copy is read with them, and they are the way back.
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)?;
    let journal = Journal {
        conversion: Conversion::Decrypt,
        run: RunId::new(),
        stage: Stage::Building,
        data: data.seen().to_owned(),
        ends: OriginalEnds::AfterBoot,
        since: 0,
        boot: paths::boot_id(),
    };
    work(unlocked, &journal)
}

/// The database needs no keys from here. The vault gives them all the same where the
/// command was cut off before it could say so.
fn forget_after_the_end(options: &DisableOptions) -> Result<()> {
    let nothing = || {
        Problem::refused(
            "MariaDB is not encrypted with keys from here. Nothing was changed.",
            "`stayput status` shows how things stand.",
        )
    };
    if options.dry_run {
        return Err(nothing());
    }
    let unlocked = unlock(&options.unlock)?;
    if unlocked.proven.policy.mariadb.is_none() {
        return Err(nothing());
    }
    forget_in_vault(unlocked)?;
    say("The database is in the clear already. The vault gives MariaDB no keys any more.");
    Ok(())
}

/// Rehearses, and returns in words how long the database will be away.
fn rehearse(
    options: &DisableOptions,
    user: &ServiceUser,
    started: &StartCommand,
    paths: &RunPaths,
) -> Result<String> {
    let client = client_of(started)?;
    let arguments = &started.arguments;
    let copied = rehearsal::rehearse(&client, *user, arguments, paths, Conversion::Decrypt)?;
    other_files::tell(
        &client,
        paths.data.seen(),
        Conversion::Decrypt,
        options.discard_binary_logs,
    )?;
    if let Some(path) = started
        .config
        .value("log-bin")
        .filter(|at| at.contains('/'))
    {
        say(format!(
            "The binary logs of today at {path}.* stay encrypted, and nobody can read them \
             afterwards. RESET MASTER removes them, where no replica still reads them."
        ));
    }
    Ok(rehearsal::say_forecast(&copied))
}

/// Lets the unit do the work. Then the vault gives MariaDB no keys any more.
fn work(unlocked: Unlocked, journal: &Journal) -> Result<()> {
    installed_files::put_command()?;
    journal.write().map_err(paths::problem)?;
    // Else nobody could open the vault meanwhile.
    let key: MasterKey = unlocked.master_key().clone();
    drop(unlocked);
    worker::work(FAILED)?;
    // The vault has the only keys of a database that is still encrypted.
    let stage = Journal::read().map_err(paths::problem)?.map(|it| it.stage);
    if stage.is_none_or(|stage| stage < Stage::Waiting) {
        return Err(Problem::failed(
            format!("{FAILED}; what was said last tells why."),
            "Run the command again.",
        ));
    }
    say("To have it encrypted again: stayput mariadb enable, once that original is removed.");
    forget_in_vault(Unlocked::new(open_vault()?, key)?)
}
