//! Tells which tables of a running server were not written while it was copied:
//! only these can be compared.

use std::collections::BTreeMap;

use super::engines::tells_writes;
use super::inventory::{About, Inventory};
use super::names::{TableName, literal};
use super::protocol::{Connection, SqlError};
use super::schema::{Table, fields};

/// The state of a table, as the server tells it without reading rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    /// Approximate size in bytes.
    pub size: u64,
    /// Seconds of the server's clock; None when it was not written since the
    /// server started.
    updated: Option<u64>,
    /// In seconds of the server's clock.
    created: Option<u64>,
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
        for table in tables
            .values()
            .filter(|table| !table.keeps_definition_only())
        {
            let rows = server.rows(&format!(
                "SELECT IFNULL(DATA_LENGTH, 0), IFNULL(UNIX_TIMESTAMP(UPDATE_TIME), ''), \
                 IFNULL(UNIX_TIMESTAMP(CREATE_TIME), '') FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
                literal(&table.name.schema),
                literal(&table.name.name)
            ))?;
            for row in rows {
                let [size, updated, created] = fields(row)?;
                let seconds = |time: &str| time.split('.').next()?.parse().ok();
                let state = TableState {
                    size: size.parse().unwrap_or(0),
                    updated: seconds(&updated),
                    created: seconds(&created),
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

    /// About how many bytes the table has.
    pub fn size(&self, table: &TableName) -> u64 {
        self.tables.get(table).map_or(0, |state| state.size)
    }

    /// Whether nobody wrote to the table between this time and `later`.
    fn untouched(&self, later: &Self, table: &TableName) -> bool {
        match (self.tables.get(table), later.tables.get(table)) {
            (Some(before), Some(after)) => {
                before.tells && self.settled(before.updated) && before.updated == after.updated
            }
            // In neither: if the copy has it, it was made up.
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether it is the same table between this time and `later`, not one
    /// that took its name.
    fn stayed(&self, later: &Self, table: &TableName) -> bool {
        match (self.tables.get(table), later.tables.get(table)) {
            (Some(before), Some(after)) => {
                self.settled(before.created) && before.created == after.created
            }
            // Tables without rows, and those that are in neither.
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether it is the same table between this time and `later`, and nobody wrote to it.
    pub fn is_steady(&self, later: &Self, table: &TableName) -> bool {
        self.untouched(later, table) && self.stayed(later, table)
    }

    /// Times are whole seconds: one that is just over does not count as past.
    fn settled(&self, time: Option<u64>) -> bool {
        time.is_none_or(|time| time + 2 <= self.now)
    }
}

/// A running server before and after it was copied.
pub struct WriteCheck {
    /// When the copy began.
    pub before: States,
    /// When it had ended.
    pub after: States,
    /// Its definitions when the copy began, and the counts and checksums of
    /// tables whose engine does not tell when they were written.
    pub lines: BTreeMap<About, String>,
}

impl WriteCheck {
    /// Whether a line can be compared; `now` is the running server's.
    pub fn stayed(&self, about: &About, now: &Inventory) -> bool {
        let same = |about: &About| self.lines.get(about) == now.get(about);
        let stayed = |table: &TableName| self.before.stayed(&self.after, table);
        match about {
            About::Rows(table) | About::Checksum(table) => {
                let untouched = match self.lines.contains_key(&About::Rows(table.clone())) {
                    true => [About::Rows, About::Checksum]
                        .iter()
                        .all(|kind| same(&kind(table.clone()))),
                    false => self.before.untouched(&self.after, table),
                };
                untouched && stayed(table) && same(&About::Definition(table.clone()))
            }
            About::Table(table) | About::Definition(table) | About::Sequence(table) => {
                same(about) && stayed(table)
            }
            About::Database(_) | About::File(_) => same(about),
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
    fn a_table_that_took_anothers_name_is_not_compared() {
        let created = |now: u64, created: u64| {
            let mut states = states(now, None);
            states.tables.get_mut(&table()).unwrap().created = Some(created);
            states
        };
        assert!(created(100, 50).stayed(&created(200, 50), &table()));
        assert!(!created(100, 50).stayed(&created(200, 150), &table()));
        assert!(!created(100, 50).stayed(&States::default(), &table()));
    }

    #[test]
    fn an_engine_that_tells_nothing_is_not_compared() {
        let mut silent = states(100, None);
        silent.tables.get_mut(&table()).unwrap().tells = false;
        assert!(!silent.untouched(&silent.clone(), &table()));
    }
}
