//! Copies rows from one server into another, through memory alone: no dump file.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::admin::problem::{Problem, Result};

use super::client::{Client, SILENT_MAX};
use super::names::TableName;
use super::protocol::{Connection, Patience, SqlError};
use super::rows::RowWriter;
use super::schema::Table;
use super::sql_problem;

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(5);
/// Silence after which a standstill is reported.
const STALL: Duration = Duration::from_secs(60);

/// The session that writes rows: nothing may be checked, counted up or shifted
/// by the clock a second time. What is written into an empty table in one
/// transaction InnoDB takes in bulk.
const WRITING: &str = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', \
     foreign_key_checks = 0, unique_checks = 0, check_constraint_checks = 0, autocommit = 0, \
     system_versioning_insert_history = 1";

/// The session that reads them: bytes as they are stored.
const READING: &str = "SET SESSION character_set_results = NULL";

/// Bytes that stay free for whoever else writes to the filesystem, first of all a
/// server that people work with.
const ROOM_LEFT: u64 = 128 << 20;

/// State that the threads of one copy or comparison share.
#[derive(Default)]
pub struct Pulse {
    /// Where the copy grows, if it does.
    grows_in: Option<PathBuf>,
    bytes: AtomicU64,
    done: AtomicUsize,
    stopped: AtomicBool,
    /// What each thread works on.
    now: Mutex<Vec<String>>,
}

impl Pulse {
    /// For threads that fill the filesystem of this directory, and are stopped
    /// before it is full: mariadbd has been seen to lose all rows of a
    /// statement without an error when there was no room for its temporary
    /// file.
    pub fn growing_in(directory: &Path) -> Self {
        Self {
            grows_in: Some(directory.to_owned()),
            ..Self::default()
        }
    }

    /// What stands in the way of more, if the filesystem is nearly full.
    fn too_full(&self) -> Option<Problem> {
        let directory = self.grows_in.as_deref()?;
        let free = statvfs(directory).map(|at| at.blocks_available() * at.fragment_size());
        is_too_full(free.ok()).then(|| {
            Problem::refused(
                format!(
                    "The disk is getting full while {} is written; it was stopped.",
                    directory.display()
                ),
                "Nothing was changed. Free some room (`df` tells how much is left), then run the \
                 command again.",
            )
        })
    }

    /// Whether a part has failed, so that the others end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Bytes that were copied so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Tables that were finished so far.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Notes that a table is being worked on.
    pub fn begin(&self, what: &str) {
        self.now
            .lock()
            .expect("nobody panics with it")
            .push(what.to_owned());
    }

    /// Notes that a table is finished.
    pub fn end(&self, what: &str) {
        let mut now = self.now.lock().expect("nobody panics with it");
        if let Some(at) = now.iter().position(|name| name == what) {
            now.swap_remove(at);
        }
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all parts.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn doing(&self) -> String {
        self.now.lock().expect("nobody panics with it").join(", ")
    }

    /// Tells how far it is until every one of `threads` has ended, then gives
    /// their results.
    pub fn watch<T>(
        &self,
        threads: Vec<thread::ScopedJoinHandle<'_, Result<T>>>,
        say: &mut dyn FnMut(&str),
        progress: impl Fn(&Self) -> String,
    ) -> Result<Vec<T>> {
        let mark = |pulse: &Self| (pulse.bytes(), pulse.done());
        let (mut told, mut moved) = (Instant::now(), Instant::now());
        let (mut last, mut shown) = (mark(self), mark(self));
        let mut full = None;
        while threads.iter().any(|thread| !thread.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if full.is_none() {
                full = self.too_full().inspect(|_| self.stop());
            }
            let now = mark(self);
            if now != last {
                (last, moved) = (now, Instant::now());
            }
            if moved.elapsed() > STALL && told.elapsed() > STALL {
                let minutes = moved.elapsed().as_secs() / 60;
                say(&format!(
                    "  nothing has moved for {minutes} min: {}",
                    self.doing()
                ));
                told = Instant::now();
            } else if now != shown && told.elapsed() > EVERY {
                say(&format!("  {}", progress(self)));
                (shown, told) = (now, Instant::now());
            }
        }
        let mut results = Vec::new();
        let mut problems = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(Ok(result)) => results.push(result),
                Ok(Err(problem)) => problems.push(problem),
                Err(_) => problems.push(Problem::failed(
                    "The copy failed for a reason inside stayput.",
                    "Please report it to stayput's authors.",
                )),
            }
        }
        if let Some(problem) = full {
            return Err(problem);
        }
        // The one that failed first is the cause.
        let caused = |problem: &Problem| !problem.what.contains("another part of the copy failed");
        let first = problems.iter().position(caused).unwrap_or(0);
        match problems.is_empty() {
            true => Ok(results),
            false => Err(problems.swap_remove(first)),
        }
    }
}

impl Patience for Pulse {
    fn wait(&self, silent: Duration) -> std::result::Result<(), SqlError> {
        if self.is_stopped() {
            return Err(SqlError::Stopped);
        }
        match silent > SILENT_MAX {
            true => Err(SqlError::Silent(silent)),
            false => Ok(()),
        }
    }
}

/// Whether too few bytes are free. An unknown number stops nothing.
fn is_too_full(free: Option<u64>) -> bool {
    free.is_some_and(|free| free < ROOM_LEFT)
}

/// Copies the rows of every table, `workers` tables side by side, into the
/// server whose data is in `data`. Gives the bytes that went through.
///
/// # Errors
/// When one table cannot be read or written, or the disk is nearly full.
pub fn rows(
    old: &Client,
    (new, data): (&Client, &Path),
    tables: &[&Table],
    workers: usize,
    say: &mut dyn FnMut(&str),
) -> Result<u64> {
    let pulse = Pulse::growing_in(data);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let work = || {
            let result = worker(old, new, tables, &next, &pulse);
            if result.is_err() {
                pulse.stop();
            }
            result
        };
        let threads = (0..workers).map(|_| scope.spawn(work)).collect();
        pulse.watch(threads, say, |pulse| {
            format!(
                "{} MB copied, {} of {} tables",
                pulse.bytes() >> 20,
                pulse.done(),
                tables.len()
            )
        })
    })?;
    Ok(pulse.bytes())
}

fn worker(
    old: &Client,
    new: &Client,
    tables: &[&Table],
    next: &AtomicUsize,
    pulse: &Pulse,
) -> Result<()> {
    let connect = |client: &Client, session: &str| -> std::result::Result<_, SqlError> {
        let mut connection = client.open(pulse)?;
        connection.run(session)?;
        Ok(connection)
    };
    let to_whom = |who: &str| format!("connecting to the {who} server");
    let mut from =
        connect(old, READING).map_err(|error| sql_problem::problem(&error, &to_whom(old.who())))?;
    let mut to =
        connect(new, WRITING).map_err(|error| sql_problem::problem(&error, &to_whom(new.who())))?;
    while let Some(table) = tables.get(next.fetch_add(1, Ordering::Relaxed)) {
        let name = table.name.sql();
        pulse.begin(&name);
        one(&mut from, &mut to, table, old.is_live(), pulse)?;
        pulse.end(&name);
    }
    Ok(())
}

/// Which side an error came from.
enum Side {
    Reading(SqlError),
    Writing(SqlError),
}

fn one(
    from: &mut Connection<'_>,
    to: &mut Connection<'_>,
    table: &Table,
    live: bool,
    pulse: &Pulse,
) -> Result<()> {
    match transfer(from, to, table, pulse) {
        Ok(()) => Ok(()),
        // It was dropped or changed meanwhile: its rows are not compared.
        Err(Side::Reading(error) | Side::Writing(error)) if live && error.is_absence() => {
            to.run("ROLLBACK").map_err(|error| {
                sql_problem::problem(&error, &format!("giving up the copy of {}", table.name))
            })
        }
        Err(Side::Reading(error)) => Err(sql_problem::problem(
            &error,
            &format!("reading {}", table.name),
        )),
        Err(Side::Writing(error)) => Err(sql_problem::problem(
            &error,
            &format!("writing the copy of {}", table.name),
        )),
    }
}

fn transfer(
    from: &mut Connection<'_>,
    to: &mut Connection<'_>,
    table: &Table,
    pulse: &Pulse,
) -> std::result::Result<(), Side> {
    let mut writer = RowWriter::new(table);
    let mut failed = None;
    let (off, on) = keys(table);
    if let Some(off) = off {
        to.run(&off).map_err(Side::Writing)?;
    }
    let read = from.query(table.read().as_bytes(), |row| {
        writer.add(row);
        if !writer.is_full() {
            return Ok(());
        }
        if pulse.is_stopped() {
            return Err(SqlError::Stopped);
        }
        let sent = to.query(writer.statement(), |_| Ok(()));
        pulse
            .bytes
            .fetch_add(writer.statement().len() as u64, Ordering::Relaxed);
        writer.clear();
        sent.map_err(|error| {
            failed = Some(error);
            SqlError::Stopped
        })
    });
    if let Some(error) = failed {
        return Err(Side::Writing(error));
    }
    read.map_err(Side::Reading)?;
    if !writer.statement().is_empty() {
        to.query(writer.statement(), |_| Ok(()))
            .map_err(Side::Writing)?;
        pulse
            .bytes
            .fetch_add(writer.statement().len() as u64, Ordering::Relaxed);
    }
    to.run("COMMIT").map_err(Side::Writing)?;
    if let Some(on) = on {
        to.run(&on).map_err(Side::Writing)?;
    }
    Ok(())
}

/// Statements around the rows of a table whose indexes are made quicker
/// afterwards.
fn keys(table: &Table) -> (Option<String>, Option<String>) {
    let sorted = ["MyISAM", "Aria"].contains(&&*table.engine) && table.name.schema != "mysql";
    let alter = |how: &str| sorted.then(|| format!("ALTER TABLE {} {how} KEYS", table.name.sql()));
    (alter("DISABLE"), alter("ENABLE"))
}

/// The order in which tables are copied: the largest first, so that none is
/// left over for one worker alone.
pub fn largest_first<'a>(
    tables: impl IntoIterator<Item = &'a Table>,
    size: impl Fn(&TableName) -> u64,
) -> Vec<&'a Table> {
    let mut order: Vec<&Table> = tables.into_iter().collect();
    order.sort_by_key(|table| std::cmp::Reverse(size(&table.name)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_room_is_left_to_the_clinic() {
        assert!(is_too_full(Some(ROOM_LEFT - 1)));
        assert!(!is_too_full(Some(ROOM_LEFT)));
        assert!(!is_too_full(None));
    }

    #[test]
    fn a_copy_that_was_stopped_for_room_says_so() {
        let pulse = Pulse {
            grows_in: Some("/proc".into()),
            ..Pulse::default()
        };
        // What has no blocks at all has none left.
        let watched = thread::scope(|scope| {
            let worker = || {
                while !pulse.is_stopped() {
                    thread::sleep(Duration::from_millis(1));
                }
                Err::<(), _>(sql_problem::problem(&SqlError::Stopped, "copying"))
            };
            let threads = vec![scope.spawn(worker)];
            pulse.watch(threads, &mut |_| {}, |_| String::new())
        });
        assert!(watched.unwrap_err().what.contains("getting full"));
    }
}
