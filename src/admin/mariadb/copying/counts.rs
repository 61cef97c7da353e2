//! The row counts of all tables, kept beside the original: they tell later whether
//! the copy still has the rows.

use std::collections::BTreeMap;
use std::io;

use crate::admin::problem::Result;

use super::client::{Client, Row};
use super::inventory::Inventory;
use super::names::{TableName, literal};

/// The number of rows of every table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<TableName, u64>);

impl Counts {
    /// What an inventory counted.
    pub fn of(inventory: &Inventory) -> Self {
        Self(inventory.counted())
    }

    /// One table a line, as [`Counts::parse`] reads it.
    pub fn text(&self) -> String {
        let lines: Vec<(&str, &str, u64)> = self
            .0
            .iter()
            .map(|(table, rows)| (&*table.schema, &*table.name, *rows))
            .collect();
        serde_json::json!(lines).to_string()
    }

    /// # Errors
    /// InvalidData for what [`Counts::text`] did not write.
    pub fn parse(text: &str) -> io::Result<Self> {
        let lines: Vec<(String, String, u64)> = serde_json::from_str(text)?;
        let counts = lines.into_iter();
        let counts = counts.map(|(schema, name, rows)| (TableName { schema, name }, rows));
        Ok(Self(counts.collect()))
    }

    /// The tables that have another number of rows now, or are gone. After an
    /// earlier start, in which rows may have been added, only those that have
    /// fewer.
    fn different(&self, now: &BTreeMap<TableName, u64>, starts: Starts) -> Vec<TableName> {
        let different = self.0.iter().filter(|(table, rows)| {
            let now = now.get(table);
            match starts {
                Starts::First => now != Some(rows),
                Starts::Later => now.is_none_or(|now| now < rows),
            }
        });
        different.map(|(table, _)| table.clone()).collect()
    }
}

/// Whether the copy was started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// Nobody can have written into it before this start.
    First,
    /// Somebody may have.
    Later,
}

/// The tables of a running server that have another number of rows than they
/// had, although nobody has written into them since the server was started.
/// Those that were written since are the clinic's own doing.
///
/// # Errors
/// When the server cannot be asked.
pub fn rows_lost(client: &Client, counts: &Counts, starts: Starts) -> Result<Vec<TableName>> {
    let different = counts.different(&Inventory::row_counts(client)?, starts);
    let mut lost = Vec::new();
    for table in different {
        if !was_written(&client.rows(&last_write(&table))?) {
            lost.push(table);
        }
    }
    Ok(lost)
}

/// Asks whether a table was written after the server's start (MariaDB's
/// documentation of information_schema.TABLES: UPDATE_TIME is NULL for InnoDB
/// until then; for other engines it is the time of their files).
fn last_write(table: &TableName) -> String {
    format!(
        "SELECT UPDATE_TIME >= NOW() - INTERVAL (SELECT VARIABLE_VALUE \
         FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME') SECOND \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        literal(&table.schema),
        literal(&table.name)
    )
}

fn was_written(answer: &[Row]) -> bool {
    answer
        .first()
        .and_then(|row| row.first())
        .map(String::as_str)
        == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, &str, u64)]) -> Counts {
        let of = of.iter();
        Counts(
            of.map(|(schema, name, rows)| (TableName::new(schema, name), *rows))
                .collect(),
        )
    }

    #[test]
    fn counts_of_tables_with_odd_names_are_read_back() {
        let counts = counts(&[("a", "b.c", 1), ("a.b", "c", 2), ("Больница", "t'\"\n", 3)]);
        assert_eq!(Counts::parse(&counts.text()).unwrap(), counts);
        assert!(Counts::parse("[[1]]").is_err());
        assert!(Counts::parse("").is_err());
    }

    #[test]
    fn a_table_that_is_shorter_longer_or_gone_is_asked_about() {
        let before = counts(&[("c", "same", 5), ("c", "short", 5), ("c", "gone", 0)]);
        let now = counts(&[("c", "same", 5), ("c", "short", 4), ("c", "new", 7)]);
        let lacking = [TableName::new("c", "gone"), TableName::new("c", "short")];
        assert_eq!(before.different(&now.0, Starts::First), lacking);
        assert_eq!(before.different(&now.0, Starts::Later), lacking);
        let more = counts(&[("c", "same", 6), ("c", "short", 5), ("c", "gone", 0)]);
        let added = [TableName::new("c", "same")];
        assert_eq!(before.different(&more.0, Starts::First), added);
        assert_eq!(before.different(&more.0, Starts::Later), []);
    }

    #[test]
    fn only_a_write_after_the_start_explains_a_difference() {
        let row = |cell: &str| vec![vec![cell.to_owned()]];
        assert!(was_written(&row("1")));
        assert!(!was_written(&row("0")));
        // NULL: not written since.
        assert!(!was_written(&row("")));
        assert!(!was_written(&[]));
    }
}
