//! An inventory of a server, as lines: two servers with equal lines hold the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::admin::problem::Result;

use super::client::{Client, Patient, SILENT_MAX};
use super::copy::Pulse;
use super::definitions::{databases, shown, state};
use super::engines::tells_writes;
use super::names::{TableName, quote};
use super::protocol::{Connection, SqlError};
use super::schema::{Kind, Table, tables};
use super::{files, sql_problem};

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Database(String),
    /// A view, a trigger, or the definition of a table whose rows are
    /// elsewhere: a file in the data directory.
    File(String),
    Definition(TableName),
    /// That it is there, and its engine.
    Table(TableName),
    /// Where a sequence stands.
    Sequence(TableName),
    Rows(TableName),
    Checksum(TableName),
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(name) => write!(f, "the database {}", quote(name)),
            Self::File(path) => write!(f, "the definition in {path}"),
            Self::Table(table) => write!(f, "the table {table}"),
            Self::Definition(table) => write!(f, "the definition of {table}"),
            Self::Sequence(table) => write!(f, "the sequence {table}"),
            Self::Rows(table) => write!(f, "the number of rows of {table}"),
            Self::Checksum(table) => write!(f, "the checksum of {table}"),
        }
    }
}

/// Everything that a server holds, and the count or checksum of each. Never a
/// row's contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    lines: BTreeMap<About, String>,
}

impl Inventory {
    /// Makes the inventory of a server whose data directory is `data`, `workers`
    /// tables side by side. `own_sum` says for which tables CHECKSUM TABLE
    /// does not do; it must be the same for both sides.
    ///
    /// # Errors
    /// When something cannot be read.
    pub(super) fn take(
        client: &Client,
        data: &Path,
        own_sums: &BTreeSet<TableName>,
        workers: usize,
        pulse: &Pulse,
    ) -> Result<Self> {
        let asking = |error: SqlError| {
            sql_problem::problem(
                &error,
                &format!("taking stock of the {} server", client.who()),
            )
        };
        let mut server = client.open(pulse).map_err(asking)?;
        let tables = tables(&mut server, client.is_live()).map_err(asking)?;
        let mut lines = definitions(&mut server, data, &tables, client.is_live())?;
        let with_rows: Vec<&Table> = tables.values().filter(|table| table.keeps_rows()).collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(About, String)>> {
            let mut server = client.open(pulse).map_err(asking)?;
            let mut found = Vec::new();
            while let Some(table) = with_rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                let what = format!("{} ({})", table.name, client.who());
                pulse.begin(&what);
                let own = own_sums.contains(&table.name);
                match sums(&mut server, table, own) {
                    Ok(sums) => found.extend(sums),
                    Err(error) if client.is_live() && error.is_absence() => {}
                    Err(error) => {
                        let doing =
                            format!("reading {} in the {} server", table.name, client.who());
                        return Err(sql_problem::problem(&error, &doing));
                    }
                }
                pulse.end(&what);
            }
            Ok(found)
        };
        let found = thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .map(|_| {
                    scope.spawn(|| {
                        let result = work();
                        if result.is_err() {
                            pulse.stop();
                        }
                        result
                    })
                })
                .collect();
            pulse.watch(threads, &mut |_| {}, |_| String::new())
        })?;
        lines.extend(found.into_iter().flatten());
        Ok(Self { lines })
    }

    /// The number of rows of every table, which is quick to ask.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn row_counts(client: &Client) -> Result<BTreeMap<TableName, u64>> {
        let patience = Patient(SILENT_MAX);
        let asking = |error: SqlError| sql_problem::problem(&error, "counting rows");
        let mut server = client.open(&patience).map_err(asking)?;
        let mut counts = BTreeMap::new();
        for table in tables(&mut server, client.is_live())
            .map_err(asking)?
            .values()
        {
            if table.keeps_rows() {
                let doing = format!("counting the rows of {}", table.name);
                let rows = server
                    .rows(&table.count())
                    .map_err(|error| sql_problem::problem(&error, &doing))?;
                let count = rows.first().and_then(|row| row.first()?.parse().ok());
                let count = count.ok_or_else(|| asking(SqlError::Garbled))?;
                counts.insert(table.name.clone(), count);
            }
        }
        Ok(counts)
    }

    /// The number of rows that every table had.
    pub fn counted(&self) -> BTreeMap<TableName, u64> {
        let count = |(about, sum): (&About, &String)| match about {
            About::Rows(table) => Some((table.clone(), sum.parse().ok()?)),
            _ => None,
        };
        self.lines.iter().filter_map(count).collect()
    }

    /// The tables whose rows were counted.
    pub fn tables(&self) -> usize {
        self.counted().len()
    }

    /// Only the lines for which `judge` is true.
    pub(super) fn only(&self, judge: impl Fn(&About) -> bool) -> Self {
        let kept = self.lines.iter().filter(|(about, _)| judge(about));
        Self {
            lines: kept
                .map(|(about, sum)| (about.clone(), sum.clone()))
                .collect(),
        }
    }

    /// The line about this, if there is one.
    pub(super) fn get(&self, about: &About) -> Option<&String> {
        self.lines.get(about)
    }

    /// The differences to another inventory, in words.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (about, sum) in &self.lines {
            match other.lines.get(about) {
                None => found.push(format!("{about} is missing")),
                Some(theirs) if theirs != sum => found.push(format!("{about} differs")),
                Some(_) => {}
            }
        }
        let more = other
            .lines
            .keys()
            .filter(|about| !self.lines.contains_key(*about));
        found.extend(more.map(|about| format!("{about} was not there before")));
        found
    }
}

/// Everything but rows. What a `live` server has not any more is left out.
pub(super) fn definitions(
    server: &mut Connection<'_>,
    data: &Path,
    tables: &BTreeMap<TableName, Table>,
    live: bool,
) -> Result<BTreeMap<About, String>> {
    let mut lines = BTreeMap::new();
    let asking = |error: SqlError| sql_problem::problem(&error, "listing the databases");
    for database in databases(server).map_err(asking)? {
        let options = database.options.join(" ");
        lines.insert(
            About::Database(database.name),
            files::digest(options.as_bytes()),
        );
    }
    for (file, contents) in files::read(server, data, tables, live)? {
        let about = About::File(file.path.to_string_lossy().into_owned());
        lines.insert(about, files::digest(&contents));
    }
    for table in tables.values() {
        lines.insert(About::Table(table.name.clone()), table.engine.clone());
        if table.keeps_definition_only() {
            continue;
        }
        match definition(server, table) {
            Ok(found) => lines.extend(found),
            Err(error) if live && error.is_absence() => {}
            Err(error) => {
                let doing = format!("reading the definition of {}", table.name);
                return Err(sql_problem::problem(&error, &doing));
            }
        }
    }
    Ok(lines)
}

fn definition(
    server: &mut Connection<'_>,
    table: &Table,
) -> std::result::Result<Vec<(About, String)>, SqlError> {
    let text = shown(server, table)?;
    let about = About::Definition(table.name.clone());
    let mut lines = vec![(about, files::digest(text.as_bytes()))];
    if table.kind == Kind::Sequence {
        let state = state(server, &table.name)?;
        lines.push((About::Sequence(table.name.clone()), state));
    }
    Ok(lines)
}

/// The counts and checksums of a running server's tables whose engine does not
/// tell when they were written.
pub(super) fn of_silent_tables(
    server: &mut Connection<'_>,
    tables: &BTreeMap<TableName, Table>,
) -> Result<Vec<(About, String)>> {
    let silent = |table: &&Table| table.keeps_rows() && !tells_writes(&table.engine);
    let mut lines = Vec::new();
    for table in tables.values().filter(silent) {
        match sums(server, table, table.needs_own_sum()) {
            Ok(found) => lines.extend(found),
            Err(error) if error.is_absence() => {}
            Err(error) => {
                return Err(sql_problem::problem(
                    &error,
                    &format!("reading {}", table.name),
                ));
            }
        }
    }
    Ok(lines)
}

/// The number of rows and the checksum of one table.
fn sums(
    server: &mut Connection<'_>,
    table: &Table,
    own: bool,
) -> std::result::Result<[(About, String); 2], SqlError> {
    let (rows, sum) = if own {
        let row = server.rows(&table.own_sum())?.into_iter().next();
        let row = row.ok_or(SqlError::Garbled)?;
        let [rows, sum] = super::schema::fields(row)?;
        (rows, sum)
    } else {
        let one = |rows: Vec<Vec<String>>, at: usize| -> std::result::Result<String, SqlError> {
            let row = rows.into_iter().next().ok_or(SqlError::Garbled)?;
            row.into_iter().nth(at).ok_or(SqlError::Garbled)
        };
        let rows = one(server.rows(&table.count())?, 0)?;
        let question = format!("CHECKSUM TABLE {} EXTENDED", table.name.sql());
        let sum = one(server.rows(&question)?, 1)?;
        // A table that cannot be read has the checksum NULL and no error.
        if sum.is_empty() {
            return Err(SqlError::Refused {
                code: 1034,
                state: "HY000".into(),
            });
        }
        (rows, sum)
    };
    Ok([
        (About::Rows(table.name.clone()), rows),
        (About::Checksum(table.name.clone()), sum),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(lines: &[(About, &str)]) -> Inventory {
        let lines = lines.iter().cloned();
        Inventory {
            lines: lines.map(|(about, sum)| (about, sum.to_owned())).collect(),
        }
    }

    fn patient() -> TableName {
        TableName::new("clinic", "patient")
    }

    #[test]
    fn a_copy_that_lost_or_changed_or_gained_is_not_the_same() {
        let file = |name: &str| About::File(name.into());
        let original = inventory(&[(About::Rows(patient()), "3"), (file("clinic/t.TRG"), "abc")]);
        assert_eq!(original.differences(&original.clone()), [""; 0]);
        let copy = inventory(&[(About::Rows(patient()), "2"), (file("clinic/v.frm"), "x")]);
        assert_eq!(
            original.differences(&copy),
            [
                "the definition in clinic/t.TRG is missing",
                "the number of rows of `clinic`.`patient` differs",
                "the definition in clinic/v.frm was not there before",
            ]
        );
        assert_eq!(original.counted(), BTreeMap::from([(patient(), 3)]));
    }

    #[test]
    fn two_tables_whose_names_read_alike_are_two_lines() {
        let (one, other) = (TableName::new("a", "b.c"), TableName::new("a.b", "c"));
        let held = inventory(&[(About::Rows(one), "1"), (About::Rows(other.clone()), "2")]);
        assert_eq!(held.tables(), 2);
        let lost = held.only(|about| *about != About::Rows(other.clone()));
        assert_eq!(held.differences(&lost).len(), 1);
    }
}
