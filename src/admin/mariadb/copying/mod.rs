//! A copy of a server, encrypted or clear, proven to hold the same.
//!
//! Databases, tables and sequences are made anew from the statements with which the
//! old server shows them; rows go through this process's memory; accounts,
//! routines and events are rows of `mysql`; views, triggers and tables without
//! rows are files that are copied. Then both servers are read again, side by
//! side, and everything is compared.

mod clear_data;
mod client;
mod concurrent_writes;
mod copy;
mod counts;
mod definitions;
mod engines;
mod files;
mod inventory;
mod leftovers;
mod login;
mod memory;
mod names;
mod obstacles;
mod options;
mod plugins;
mod private;
mod protocol;
mod restored;
mod rows;
mod schema;
mod servers;
mod sql_problem;
mod steady_rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::{Problem, Result};

pub use clear_data::{clear_data as clear_data_of, refuse_encrypted as refuse_encrypted_data};
pub use client::{Client, Row};
pub use counts::{Counts, Starts, rows_lost};
pub use inventory::Inventory;
pub use leftovers::{Leftover, settings as leftovers_of_settings};
pub use names::TableName;
pub use obstacles::{Obstacle, obstacles};
pub use private::ROOM;
pub use protocol::SqlError;
pub use restored::{born_from, rows_of_stopped};
pub use schema::VIRTUAL;
pub use sql_problem::problem as problem_of_sql;
pub use steady_rows::RowWatch;

use clear_data::refuse_encrypted_spaces;
use concurrent_writes::{States, WriteCheck};
use copy::Pulse;
use private::PrivateServer;
use schema::Table;
use servers::Servers;

/// What is copied.
pub enum Source<'a> {
    /// A rehearsal: the server goes on working and nothing in it is changed.
    Running(&'a Client),
    /// A server that was stopped.
    Stopped(Stopped<'a>),
}

/// A server that was stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stopped<'a> {
    /// Its data directory.
    pub data: &'a Path,
    /// What it is encrypted with, plain, of `file_key_management`; `None` where it is
    /// clear.
    pub key_file: Option<&'a Path>,
}

/// Where the copy is made. mysql must get at all of it.
pub struct Target<'a> {
    /// Empty, and mysql's.
    pub data: &'a Path,
    /// Empty, and mysql's: for temporary files, on the same filesystem. Those
    /// of the new server are encrypted where it is; see [`servers`] for the old one's.
    pub scratch: &'a Path,
    /// What the copy is encrypted with, plain, of `file_key_management`; `None` where it
    /// is made clear.
    pub key_file: Option<&'a Path>,
    /// Which of these keys its tables get.
    pub new_tables: NewTables,
}

/// The key of tables that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTables {
    /// The first, which every key file has, whatever the option files say for the server that
    /// runs.
    OnTheFirstKey,
    /// The one that `stayput mariadb rotate` has put into the settings.
    AsTheSettingsSay,
}

/// A copy that holds the same.
pub struct Copied {
    /// Counts and checksums of all that was copied.
    pub inventory: Inventory,
    /// What stays readable on the disk all the same.
    pub leftovers: Vec<Leftover>,
    /// What the new data directory takes on the disk.
    pub bytes: u64,
    /// How long the parts took.
    pub took: Durations,
    /// Tables of a running server that were written meanwhile and could
    /// therefore not be compared.
    pub not_compared: Vec<TableName>,
}

/// How long the parts took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Durations {
    /// Making the new server and starting both.
    pub start: Duration,
    /// Reading the one and writing the other.
    pub copy: Duration,
    /// Comparing both.
    pub compare: Duration,
    /// Stopping both, with everything in their files.
    pub stop: Duration,
}

/// How many tables are copied side by side.
const WORKERS: usize = 2;

/// Makes the copy and proves it. `arguments` are those that the unit gives
/// its mariadbd: both servers get them too.
///
/// # Errors
/// When the copy cannot be made, or is not the same. The target then holds
/// what is to be thrown away; the source is as it was.
pub fn proven_copy(
    user: &ServiceUser,
    arguments: &[String],
    source: &Source<'_>,
    target: &Target<'_>,
    say: &mut dyn FnMut(&str),
) -> Result<Copied> {
    let started = Instant::now();
    let running = match source {
        Source::Running(client) => Some(*client),
        Source::Stopped(_) => None,
    };
    let old_data = match source {
        Source::Running(client) => {
            PathBuf::from(client.rows("SELECT @@datadir")?.concat().concat())
        }
        Source::Stopped(stopped) => stopped.data.to_path_buf(),
    };
    let servers = Servers::prepare(user, arguments, target, &old_data, running.is_none())?;

    say(match target.key_file {
        Some(_) => "Making an encrypted data directory.",
        None => "Making a clear data directory.",
    });
    servers.give_birth()?;
    let old = match source {
        Source::Running(_) => None,
        Source::Stopped(stopped) => Some(servers.start_old(stopped)?),
    };
    let from = running
        .or(old.as_ref().map(PrivateServer::client))
        .expect("one of both");
    // What a stopped server tells may be new: it was not asked before.
    let becomes = match target.key_file {
        Some(_) => Conversion::Encrypt,
        None => Conversion::Decrypt,
    };
    if let Some(obstacle) = obstacles(from, becomes)?.into_iter().next() {
        return Err(Problem::refused(
            format!("It cannot be copied: {}.", obstacle.what),
            format!("Nothing was changed. {}", obstacle.mend),
        ));
    }
    let new = servers.start_new(plugins::engines(from)?)?;
    let start = started.elapsed();

    say("Copying every database, account, routine, trigger, event and view.");
    let copying = Instant::now();
    let copied = match copy_all(from, &old_data, &new, user, say) {
        Ok(copied) => copied,
        Err(problem) => {
            // What it still writes only fills the disk.
            new.throw_away();
            return Err(problem);
        }
    };
    let copy = copying.elapsed();

    say("Comparing the copy with the original, row by row.");
    let comparing = Instant::now();
    let Compared {
        inventory,
        not_compared,
        differences,
    } = compare(from, &old_data, &new, copied, say)?;
    let compare = comparing.elapsed();
    if !differences.is_empty() {
        tell_differences(&differences, say);
        return Err(Problem::refused(
            format!("The copy is not the same in {} paths.", differences.len()),
            "Nothing was changed. Please report the lines above to stayput's authors.",
        ));
    }
    say(&format!(
        "{} tables are the same in rows and checksums.",
        inventory.tables() - not_compared.len()
    ));
    if target.key_file.is_none() {
        refuse_encrypted_spaces(new.client())?;
    }
    let leftovers = leftovers::of_server(from)?;

    let stopping = Instant::now();
    if let Some(old) = old {
        old.stop()?;
    }
    new.stop()?;
    Ok(Copied {
        inventory,
        leftovers,
        bytes: on_disk(target.data),
        took: Durations {
            start,
            copy,
            compare,
            stop: stopping.elapsed(),
        },
        not_compared,
    })
}

/// What an original and its copy disagree about.
struct Compared {
    /// Of the original.
    inventory: Inventory,
    /// Written meanwhile.
    not_compared: Vec<TableName>,
    differences: Vec<String>,
}

fn tell_differences(differences: &[String], say: &mut dyn FnMut(&str)) {
    for difference in differences.iter().take(20) {
        say(&format!("  {difference}"));
    }
}

/// Compares two servers that are both stopped; `target` is the copy. Gives
/// the number of things that are not the same, and says which.
///
/// # Errors
/// When one of them cannot be read.
pub fn compare_stopped(
    user: &ServiceUser,
    arguments: &[String],
    original: &Stopped<'_>,
    target: &Target<'_>,
    say: &mut dyn FnMut(&str),
) -> Result<usize> {
    let old_data = original.data;
    let servers = Servers::prepare(user, arguments, target, old_data, true)?;
    let old = servers.start_old(original)?;
    let new = servers.start_new(plugins::engines(old.client())?)?;
    let pulse = Pulse::default();
    let reading = |error: SqlError| sql_problem::problem(&error, "looking at the tables");
    let mut asked = old.client().open(&pulse).map_err(reading)?;
    let tables = schema::tables(&mut asked, false).map_err(reading)?;
    let seen = SourceState {
        before: States::ask(&mut asked, &tables).map_err(reading)?,
        lines: BTreeMap::new(),
        tables,
    };
    drop(asked);
    let compared = compare(old.client(), old_data, &new, seen, say)?;
    old.stop()?;
    new.stop()?;
    tell_differences(&compared.differences, say);
    Ok(compared.differences.len())
}

/// The state of the source when the copy began.
struct SourceState {
    tables: BTreeMap<TableName, Table>,
    before: States,
    lines: BTreeMap<inventory::About, String>,
}

fn copy_all(
    from: &Client,
    old_data: &Path,
    new: &PrivateServer,
    user: &ServiceUser,
    say: &mut dyn FnMut(&str),
) -> Result<SourceState> {
    let pulse = Pulse::default();
    let reading = |error: SqlError| sql_problem::problem(&error, "looking at the tables");
    let writing = |error: SqlError| sql_problem::problem(&error, "preparing the new server");
    let mut old = from.open(&pulse).map_err(reading)?;
    let mut copy = new.client().open(&pulse).map_err(writing)?;
    let live = from.is_live();
    let tables = schema::tables(&mut old, live).map_err(reading)?;
    let before = States::ask(&mut old, &tables).map_err(reading)?;
    let mut lines = inventory::definitions(&mut old, old_data, &tables, live)?;
    if live {
        lines.extend(inventory::of_silent_tables(&mut old, &tables)?);
    }

    definitions::make(&mut old, &mut copy, &tables, live)?;
    let with_rows = |system: bool| {
        let wanted =
            move |table: &&Table| table.keeps_rows() && (table.name.schema == "mysql") == system;
        copy::largest_first(tables.values().filter(wanted), |table| before.size(table))
    };
    let into = (new.client(), new.data());
    copy::rows(from, into, &with_rows(false), WORKERS, say)?;
    // Last: dropping a table takes its statistics in `mysql` with it.
    definitions::make_system(&mut old, &mut copy, &tables, live)?;
    copy::rows(from, into, &with_rows(true), 1, say)?;
    copy.run("FLUSH TABLES").map_err(writing)?;
    let files = files::read(&mut old, old_data, &tables, live)?;
    files::write(&files, new.data(), user)?;
    copy.run("FLUSH TABLES").map_err(writing)?;
    Ok(SourceState {
        tables,
        before,
        lines,
    })
}

/// Reads both servers again and compares.
fn compare(
    from: &Client,
    old_data: &Path,
    new: &PrivateServer,
    seen: SourceState,
    say: &mut dyn FnMut(&str),
) -> Result<Compared> {
    let own_sums: BTreeSet<TableName> = seen
        .tables
        .values()
        .filter(|table| table.needs_own_sum())
        .map(|table| table.name.clone())
        .collect();
    let pulse = Pulse::default();
    let all = 2 * seen
        .tables
        .values()
        .filter(|table| table.keeps_rows())
        .count();
    let mut taken = thread::scope(|scope| {
        let take = |client, data| {
            let (own_sums, pulse) = (&own_sums, &pulse);
            scope.spawn(move || {
                let taken = Inventory::take(client, data, own_sums, 1, pulse);
                if taken.is_err() {
                    pulse.stop();
                }
                taken
            })
        };
        let threads = vec![take(from, old_data), take(new.client(), new.data())];
        pulse.watch(threads, say, |pulse| {
            format!("{} of {all} tables read (both servers)", pulse.done())
        })
    })?;
    let (Some(mut theirs), Some(mut ours)) = (taken.pop(), taken.pop()) else {
        unreachable!("two threads gave two inventories");
    };
    let original = ours.clone();
    let mut not_compared = Vec::new();
    if from.is_live() {
        let asking = |error: SqlError| sql_problem::problem(&error, "looking at the tables again");
        let mut old = from.open(&pulse).map_err(asking)?;
        let tables = schema::tables(&mut old, true).map_err(asking)?;
        let write_check = WriteCheck {
            before: seen.before,
            after: States::ask(&mut old, &tables).map_err(asking)?,
            lines: seen.lines,
        };
        let stayed = |about: &inventory::About| write_check.stayed(about, &original);
        (ours, theirs) = (ours.only(stayed), theirs.only(stayed));
        let compared = ours.counted();
        let left_out = original.counted().into_keys();
        not_compared.extend(left_out.filter(|table| !compared.contains_key(table)));
    }
    Ok(Compared {
        differences: ours.differences(&theirs),
        inventory: original,
        not_compared,
    })
}

/// The bytes that the files below take; what cannot be read counts as
/// nothing.
pub fn on_disk(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let at = entry.metadata().ok()?;
            Some(if at.is_dir() {
                on_disk(&entry.path())
            } else {
                at.blocks() * 512
            })
        })
        .sum()
}
