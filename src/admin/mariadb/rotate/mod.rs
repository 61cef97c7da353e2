//! `stayput mariadb rotate`: after a new master key MariaDB's tables move to a key that
//! follows from it, while people work. MariaDB is restarted once, because it reads its keys at
//! a start only.
//!
//! Every key that MariaDB ever had stays with it: a table that is not moved yet, a backup, and
//! the database of before a restore need it.

mod alter;
mod bring_key;
mod moving;
mod report;
mod standing;
mod usage;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::admin::ask;
use crate::admin::backup;
use crate::admin::json;
use crate::admin::key_release;
use crate::admin::lock_file::{only_one, only_one_within};
use crate::admin::mariadb::backup_source::RunningDatabase;
use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::copying::{Client, TableName, problem_of_sql};
use crate::admin::mariadb::disable;
use crate::admin::mariadb::enable::worker;
use crate::admin::mariadb::process::serves_from;
use crate::admin::mariadb::restore::{Earlier, earlier};
use crate::admin::mariadb::start_assessment::assess_start;
use crate::admin::mariadb_service::{is_started, is_starting};
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{running, systemctl};
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::release::mariadb::{KeyId, MariadbRelease, Target};

use report::Report;
use standing::{Goal, Standing};
use usage::Usage;

/// Held by the one command that moves tables.
const LOCK: &str = "/run/stayput-mariadb-rotate.lock";

/// How long a backup that is being written is waited for before MariaDB is restarted.
const BACKUP_TAKES: Duration = Duration::from_secs(1800);

/// How tables are moved.
#[derive(Clone, Debug, clap::Args)]
pub struct RotateOptions {
    /// Another key, although the tables have one that follows from the master key of now
    #[arg(long)]
    new_key: bool,
    /// Move large tables too that nobody can write into meanwhile, as those with a full-text
    /// index
    #[arg(long)]
    lock_tables: bool,
    /// Do not ask whether MariaDB may be restarted
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Moves the tables, or goes on where an earlier run was interrupted.
///
/// # Errors
/// What stands in the way, and which tables stay where they are.
pub fn rotate(options: &RotateOptions) -> Result<()> {
    if !running() {
        return Err(Problem::refused(
            "systemd does not run this machine. Nothing was changed.",
            "Run the command on the server itself, not in an image of it.",
        ));
    }
    let _only = only_one(LOCK, "`stayput mariadb rotate`")?;
    let alone = worker::lock()?;
    nothing_else_is_open()?;
    let database = RunningDatabase::find()?;
    each_table_has_its_file(database.client())?;
    let unlocked = unlock(&options.unlock)?;
    let standing = Standing::of(&Usage::of(database.client())?, goal(&unlocked)?);
    let Some(key) = choose(&unlocked, options.new_key, &standing)? else {
        say("All of MariaDB's keys follow from the master key of now: no table has to be moved.");
        say("To give them another key all the same: stayput mariadb rotate --new-key");
        return Ok(());
    };
    if !is_loaded(database.client(), key.id)? {
        would_start(&unlocked)?;
        ask::confirm(
            "MariaDB is restarted once, for some seconds, to read a new key. Then the tables are \
             rebuilt one after the other, while people work. Go on?",
            options.yes,
        )?;
    }
    let loaded = load(unlocked, database, key);
    // Whatever went wrong: one that runs has read what it needs.
    if is_started() && !is_starting() {
        key_release::remove_if_read()?;
    }
    let database = loaded?;
    // From here on whoever stops MariaDB ends this.
    drop(alone);
    move_tables(&database, key.id, options.lock_tables)
}

/// Brings the key, and has MariaDB read it.
fn load(mut unlocked: Unlocked, database: RunningDatabase, key: KeyId) -> Result<RunningDatabase> {
    bring_key::bring(&mut unlocked, key)?;
    if is_loaded(database.client(), key.id)? {
        return Ok(database);
    }
    would_start(&unlocked)?;
    // A backup may be waited for: no key is kept for so long.
    drop(unlocked);
    restart(&database)?;
    let database = RunningDatabase::find()?;
    match is_loaded(database.client(), key.id)? {
        true => Ok(database),
        false => Err(Problem::failed(
            format!("MariaDB was restarted and has not read key {}.", key.id),
            "`journalctl -u mariadb -n 30` tells more. Then run the command again.",
        )),
    }
}

/// Prints how far the tables are.
///
/// # Errors
/// When MariaDB does not run behind the gate, or does not answer.
pub fn progress(for_scripts: bool) -> Result<()> {
    let database = RunningDatabase::find()?;
    let usage = Usage::of(database.client())?;
    let given = given_by_vault();
    let goal = match &given {
        Some((generation, release)) => Goal::of(release, *generation),
        None => {
            let check = load_check_file().ok();
            let newest = check.and_then(|check| check.key_of_new_tables());
            newest.map_or(Goal::Anywhere, Goal::On)
        }
    };
    let ids = given.iter().flat_map(|(_, release)| &release.key_ids);
    let report = Report {
        standing: Standing::of(&usage, goal),
        generation: given.as_ref().map(|(generation, _)| *generation),
        generations: ids
            .map(|key| (key.id, key.generation))
            .collect::<BTreeMap<_, _>>(),
    };
    if for_scripts {
        json::print(report.document());
        return Ok(());
    }
    report.lines().iter().for_each(say);
    Ok(())
}

/// The generation of the master key of now, and what the vault gives MariaDB, as it claims:
/// for people to read, nothing is released by it.
fn given_by_vault() -> Option<(u32, MariadbRelease)> {
    let vault = open_vault_read_only().ok()?;
    let policy = vault.unproven_policy().ok()?;
    let release = policy.as_claimed().mariadb.clone()?;
    Some((vault.header().generation, release))
}

/// Nothing else has moved this server's data, or is about to.
fn nothing_else_is_open() -> Result<()> {
    disable::must_be_the_only_run()?;
    match earlier()? {
        Earlier::Nothing | Earlier::Kept { .. } => Ok(()),
        Earlier::Interrupted { .. } | Earlier::Removing => Err(Problem::refused(
            "An earlier restore has not ended. Nothing was changed.",
            "End it first: stayput restore, or stayput restore --remove-old.",
        )),
    }
}

/// A table that is rebuilt gets a file of its own, and its key.
fn each_table_has_its_file(client: &Client) -> Result<()> {
    let off = client.rows(
        "SHOW GLOBAL VARIABLES WHERE Variable_name = 'innodb_file_per_table' AND Value = 'OFF'",
    )?;
    match off.is_empty() {
        true => Ok(()),
        false => Err(Problem::refused(
            "innodb_file_per_table is off: tables would go into the system tablespace, which \
             stays on key 1. Nothing was changed.",
            "Take it out of /etc/mysql and restart MariaDB, then run the command again.",
        )),
    }
}

/// What the vault gives MariaDB.
fn given(unlocked: &Unlocked) -> Result<&MariadbRelease> {
    unlocked.proven.policy.mariadb.as_ref().ok_or_else(|| {
        Problem::refused(
            "The vault gives MariaDB no keys. Nothing was changed.",
            "Run `stayput mariadb enable` first: it puts back what is lost.",
        )
    })
}

fn goal(unlocked: &Unlocked) -> Result<Goal> {
    let generation = unlocked.vault.header().generation;
    Ok(Goal::of(given(unlocked)?, generation))
}

/// The key that the tables go to; `None` where they may stay. A move that was begun goes on,
/// also where another new key is asked for.
fn choose(unlocked: &Unlocked, anew: bool, standing: &Standing) -> Result<Option<KeyId>> {
    let generation = unlocked.vault.header().generation;
    let anew = anew && standing.is_reached();
    match given(unlocked)?.target(generation, anew) {
        Target::Nowhere => Ok(None),
        Target::Known(key) | Target::New(key) => Ok(Some(key)),
        Target::NoRoom => Err(bring_key::no_room()),
    }
}

/// Whether the running server has read this key.
fn is_loaded(client: &Client, id: u32) -> Result<bool> {
    match client.change(&alter::probe(id)) {
        Ok(()) => Ok(true),
        Err(error) if alter::is_not_loaded(&error) => Ok(false),
        Err(error) => Err(problem_of_sql(&error, "asking which keys MariaDB has read")),
    }
}

/// Looks whether the gate would let MariaDB start, before it is stopped.
fn would_start(unlocked: &Unlocked) -> Result<()> {
    let given = given(unlocked)?;
    let faults = assess_start(Some(given), Some(unlocked.keys())).faults;
    let first = match faults {
        Ok(faults) => faults.into_iter().next(),
        Err(unknown) => Some(unknown),
    };
    match first {
        None => Ok(()),
        Some((what, next)) => Err(Problem::refused(
            format!("MariaDB would not start again: {what}. It goes on as it is."),
            next,
        )),
    }
}

/// Restarts MariaDB through the gate, in one step of systemd's: it does not stay stopped
/// when this command is killed.
fn restart(database: &RunningDatabase) -> Result<()> {
    // What it reads would be cut off.
    let _no_backup = only_one_within(backup::LOCK, "`stayput backup`", BACKUP_TAKES)?;
    say("Restarting MariaDB.");
    let [_, real] = database.directories();
    let shows_why = "`journalctl -u mariadb -n 20` shows why. Then run the command again.";
    systemctl(&["restart", "mariadb.service"], shows_why)?;
    serves_from(real).map(drop)
}

fn move_tables(database: &RunningDatabase, id: u32, locks: bool) -> Result<()> {
    let client = database.client();
    let [_, real]: [&Path; 2] = database.directories();
    client
        .change(&[alter::for_new_tables(id)])
        .map_err(|error| problem_of_sql(&error, "naming the key of new tables"))?;
    let kept = moving::move_all(client, real, id, locks)?;
    let standing = Standing::of(&Usage::of(client)?, Goal::On(id));
    if standing.is_reached() {
        say(format!(
            "All {} tables are on key {id}.",
            standing.tables.len()
        ));
        report::what_stays(&standing.stays).iter().for_each(say);
        say("Files of before lie in the free space of the disk until they are written over.");
        return Ok(());
    }
    say("These tables stay where they are for now:");
    for kept in &kept {
        say(format!("  {}", kept.in_words()));
    }
    let is_kept = |name: &TableName| kept.iter().any(|kept| kept.name == *name);
    for table in standing.left() {
        if !is_kept(&table.name) {
            say(format!("  {}: it still has another key", table.name));
        }
    }
    for name in &standing.unseen {
        say(format!("  {name}: MariaDB does not say which key it has"));
    }
    Err(Problem::failed(
        format!(
            "{} of {} tables are not on key {id} yet. MariaDB goes on with all of its keys.",
            standing.left().len() + standing.unseen.len(),
            standing.tables.len() + standing.unseen.len()
        ),
        "Run the command again: it goes on.",
    ))
}

/// Prints a line at once.
fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
    output::flush();
}

/// A document with every field.
#[cfg(test)]
pub fn example() -> serde_json::Value {
    report::tests::example()
}
