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
}

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
        let (before, _) = states(client)?;
        Ok(Self { before })
    }

    /// Counts the rows, after the copy.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn end(self, client: &Client) -> Result<BTreeMap<TableName, SteadyRows>> {
        let counts = Inventory::row_counts(client)?;
        let (after, tables) = states(client)?;
        let certain = |table: &TableName| {
            // What a server writes there by itself, at a start too.
            let is_rewritten = table.schema == "mysql" && REWRITTEN.contains(&&*table.name);
            tables.contains_key(table) && !is_rewritten && self.before.is_steady(&after, table)
        };
        let counted = counts.into_iter().map(|(table, rows)| {
            let is_certain = certain(&table);
            (table, SteadyRows { rows, is_certain })
        });
        Ok(counted.collect())
    }
}

fn states(client: &Client) -> Result<(States, BTreeMap<TableName, Table>)> {
    let patience = Patient(SILENT_MAX);
    let asking = |error: SqlError| sql_problem::problem(&error, "looking at the tables");
    let mut server = client.open(&patience).map_err(asking)?;
    let tables = schema::tables(&mut server, client.is_live()).map_err(asking)?;
    let states = States::ask(&mut server, &tables).map_err(asking)?;
    Ok((states, tables))
}
