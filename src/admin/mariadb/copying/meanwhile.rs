//! Which tables of a running server were left alone while it was copied: only
//! they can be compared.

use std::collections::BTreeMap;

use super::engines::tells_writes;
use super::inventory::{About, Inventory};
use super::names::{TableName, literal};
use super::schema::{Table, fields};
use super::wire::{Connection, SqlError};

/// What a server tells of a table's rows without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    /// In bytes, about.
    pub size: u64,
    /// Seconds of the server's clock; None when it was not written since the
    /// server started.
    updated: Option<u64>,
    created: String,
    /// Whether the engine keeps `updated` at all.
    tells: bool,
}

/// The states of all tables with rows, at one time.
#[derive(Clone, Debug, Default)]
pub struct States {
    /// The server's clock, in seconds.
    now: u64,
    tables: BTreeMap<TableName, TableState>,
}

impl States {
    /// # Errors
    /// When the server does not answer.
    pub fn ask(
        server: &mut Connection<'_>,
        tables: &BTreeMap<TableName, Table>,
    ) -> Result<Self, SqlError> {
        let now = server.rows("SELECT UNIX_TIMESTAMP()")?;
        let now = now
            .concat()
            .concat()
            .parse()
            .map_err(|_| SqlError::Garbled)?;
        let mut states = BTreeMap::new();
        for table in tables.values().filter(|table| table.keeps_rows()) {
            let rows = server.rows(&format!(
                "SELECT IFNULL(DATA_LENGTH, 0), IFNULL(UNIX_TIMESTAMP(UPDATE_TIME), ''), \
                 IFNULL(CREATE_TIME, '') FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
                literal(&table.name.schema),
                literal(&table.name.name)
            ))?;
            for row in rows {
                let [size, updated, created] = fields(row)?;
                let state = TableState {
                    size: size.parse().unwrap_or(0),
                    updated: updated.split('.').next().and_then(|time| time.parse().ok()),
                    created,
                    tells: tells_writes(&table.engine),
                };
                states.insert(table.name.clone(), state);
            }
        }
        Ok(Self {
            now,
            tables: states,
        })
    }

    pub fn size(&self, table: &TableName) -> u64 {
        self.tables.get(table).map_or(0, |state| state.size)
    }

    /// Whether nobody wrote to the table between this time and `later`. Times
    /// are whole seconds: one that is just over does not count as past.
    fn untouched(&self, later: &Self, table: &TableName) -> bool {
        match (self.tables.get(table), later.tables.get(table)) {
            (Some(before), Some(after)) => {
                let settled = before.updated.is_none_or(|time| time + 2 <= self.now);
                before.tells
                    && settled
                    && before.updated == after.updated
                    && before.created == after.created
            }
            // In neither: if the copy has it, it was made up.
            (None, None) => true,
            _ => false,
        }
    }
}

/// A running server before and after it was copied.
pub struct Meanwhile {
    pub before: States,
    pub after: States,
    /// Its definitions when the copy began.
    pub definitions: BTreeMap<About, String>,
}

impl Meanwhile {
    /// Whether a line can be compared; `now` is the running server's.
    pub fn stayed(&self, about: &About, now: &Inventory) -> bool {
        match about {
            About::Rows(table) | About::Checksum(table) => {
                self.before.untouched(&self.after, table)
            }
            other => self.definitions.get(other) == now.get(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(now: u64, updated: Option<u64>) -> States {
        let state = TableState {
            updated,
            tells: true,
            ..TableState::default()
        };
        States {
            now,
            tables: BTreeMap::from([(table(), state)]),
        }
    }

    fn table() -> TableName {
        TableName::new("clinic", "visit")
    }

    #[test]
    fn a_table_that_was_written_meanwhile_is_no_false_alarm() {
        let stayed = |before: &States, after: &States| before.untouched(after, &table());
        assert!(stayed(&states(100, Some(50)), &states(200, Some(50))));
        assert!(stayed(&states(100, None), &states(200, None)));
        assert!(!stayed(&states(100, Some(50)), &states(200, Some(150))));
        assert!(!stayed(&states(100, None), &states(200, Some(150))));
        // Two writes in one second look like one.
        assert!(!stayed(&states(100, Some(100)), &states(200, Some(100))));
        assert!(!stayed(&states(100, Some(50)), &States::default()));
    }

    #[test]
    fn an_engine_that_tells_nothing_is_not_compared() {
        let mut silent = states(100, None);
        silent.tables.get_mut(&table()).unwrap().tells = false;
        assert!(!silent.untouched(&silent.clone(), &table()));
    }
}
