//! The rows of a running server's tables, and which of them nobody wrote meanwhile: of a
//! copy that is made in between, only these are known exactly.

use std::collections::BTreeMap;

use crate::admin::problem::Result;

use super::client::{Client, Patient, SILENT_MAX};
use super::concurrent_writes::States;
use super::inventory::Inventory;
use super::names::TableName;
use super::protocol::SqlError;
use super::schema::{self, REWRITTEN, Table};
use super::sql_problem;

/// A running server before a copy of it is made.
pub struct RowWatch {
    before: States,
    /// When the server was started, in seconds of its clock.
    started: i64,
}

/// Seconds by which the two answers to when a server was started may differ.
const ROUNDING: i64 = 2;

/// How many rows a table has, and whether it had as many all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyRows {
    /// Counted after the copy.
    pub rows: u64,
    /// Nobody has written into it since before the copy.
    pub is_certain: bool,
}

impl RowWatch {
    /// Notes when each table was written last.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn begin(client: &Client) -> Result<Self> {
        let started = started(client)?;
        let (before, _) = states(client)?;
        Ok(Self { before, started })
    }

    /// Counts the rows, after the copy.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn end(self, client: &Client) -> Result<BTreeMap<TableName, SteadyRows>> {
        let counts = Inventory::row_counts(client)?;
        let (after, tables) = states(client)?;
        // A server that was started anew has forgotten when its tables were written.
        let is_same_server = is_same_start(self.started, started(client)?);
        let certain = |table: &TableName| {
            // What a server writes there by itself, at a start too.
            let is_rewritten = table.schema == "mysql" && REWRITTEN.contains(&&*table.name);
            is_same_server
                && tables.contains_key(table)
                && !is_rewritten
                && self.before.is_steady(&after, table)
        };
        let counted = counts.into_iter().map(|(table, rows)| {
            let is_certain = certain(&table);
            (table, SteadyRows { rows, is_certain })
        });
        Ok(counted.collect())
    }
}

fn is_same_start(before: i64, after: i64) -> bool {
    before.abs_diff(after) <= ROUNDING.unsigned_abs()
}

fn started(client: &Client) -> Result<i64> {
    let rows = client.rows(
        "SELECT UNIX_TIMESTAMP() - CAST(VARIABLE_VALUE AS SIGNED) FROM \
         information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'",
    )?;
    let said = rows.concat().concat();
    said.parse()
        .map_err(|_| sql_problem::problem(&SqlError::Garbled, "looking at the tables"))
}

fn states(client: &Client) -> Result<(States, BTreeMap<TableName, Table>)> {
    let patience = Patient(SILENT_MAX);
    let asking = |error: SqlError| sql_problem::problem(&error, "looking at the tables");
    let mut server = client.open(&patience).map_err(asking)?;
    let tables = schema::tables(&mut server, client.is_live()).map_err(asking)?;
    let states = States::ask(&mut server, &tables).map_err(asking)?;
    Ok((states, tables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_that_was_started_anew_vouches_for_no_table() {
        assert!(is_same_start(1_764_000_000, 1_764_000_001));
        assert!(!is_same_start(1_764_000_000, 1_764_000_030));
        assert!(!is_same_start(1_764_000_030, 1_764_000_000));
    }
}
