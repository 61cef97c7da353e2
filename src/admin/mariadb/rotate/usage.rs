//! Which key each file of a running server's tables is written with, as the server says it
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::admin::mariadb::copying::{Client, Row, TableName, VIRTUAL};
use crate::admin::problem::{Problem, Result};

/// One file of InnoDB's (a tablespace).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// What stands in it.
    pub holds: Holds,
    /// The key that it is written with; `None` where it is clear.
    pub key: Option<u32>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What stands in a file of InnoDB's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Rows of a table: all of them, or those of one partition.
    Table(TableName),
    /// Words of a full-text index.
    FullText,
    /// What all tables share.
    System,
    /// Rows as they were before they were changed.
    Undo,
    /// Rows for the time of a question.
    Temporary,
    /// A table that is being rebuilt, or was when the power went.
    Unfinished,
}

/// What a server says of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// InnoDB's files.
    pub spaces: Vec<Space>,
    /// Tables without a file of their own: their rows stand in the system tablespace.
    pub in_system: Vec<TableName>,
    /// Every table of InnoDB's, by its definition.
    pub of_innodb: Vec<TableName>,
    /// Sequences: MariaDB rebuilds them, and leaves their key as it is. Each holds a number.
    pub sequences: BTreeSet<TableName>,
    /// How many tables each other engine has.
    pub others: BTreeMap<String, u64>,
    /// Changes are written into a binary log.
    pub has_binary_log: bool,
}

/// Names of databases and tables stand in their files' names in an encoding of MariaDB's own,
/// which only MariaDB reads back. Behind `#` stands the partition.
const SPACES: &str = "SELECT e.NAME, e.CURRENT_KEY_ID, e.ENCRYPTION_SCHEME, \
     IFNULL(t.FILE_SIZE, 0), \
     CONVERT(CAST(SUBSTRING_INDEX(e.NAME, '/', 1) AS BINARY) USING filename), \
     CONVERT(CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(e.NAME, '/', -1), '#', 1) AS BINARY) \
     USING filename) \
     FROM information_schema.INNODB_TABLESPACES_ENCRYPTION e \
     LEFT JOIN information_schema.INNODB_SYS_TABLESPACES t ON t.SPACE = e.SPACE";

const IN_SYSTEM: &str = "SELECT NAME, \
     CONVERT(CAST(SUBSTRING_INDEX(NAME, '/', 1) AS BINARY) USING filename), \
     CONVERT(CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(NAME, '/', -1), '#', 1) AS BINARY) \
     USING filename) \
     FROM information_schema.INNODB_SYS_TABLES WHERE SPACE = 0 AND NAME LIKE '%/%'";

impl Usage {
    /// Asks the server.
    ///
    /// # Errors
    /// When it does not answer as expected.
    pub fn of(client: &Client) -> Result<Self> {
        let spaces = client.rows(SPACES)?.into_iter().map(space);
        let in_system = client.rows(IN_SYSTEM)?.into_iter().map(in_system);
        let tables = client.rows(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_TYPE FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA NOT IN {VIRTUAL} \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')"
        ))?;
        let in_system = in_system.collect::<Option<Vec<_>>>();
        let in_system = in_system.ok_or_else(not_understood)?.into_iter();
        let table = |holds| match holds {
            Holds::Table(name) => Some(name),
            _ => None,
        };
        let mut usage = Self {
            spaces: spaces.collect::<Option<_>>().ok_or_else(not_understood)?,
            in_system: in_system.filter_map(table).collect(),
            has_binary_log: client.rows("SELECT @@log_bin")?.concat().concat() == "1",
            ..Self::default()
        };
        for row in tables {
            let [schema, table, engine, kind] = &row[..] else {
                return Err(not_understood());
            };
            match engine.as_str() {
                "InnoDB" if kind == "SEQUENCE" => {
                    usage.sequences.insert(TableName::new(schema, table));
                }
                "InnoDB" => usage.of_innodb.push(TableName::new(schema, table)),
                other => *usage.others.entry(other.to_owned()).or_default() += 1,
            }
        }
        Ok(usage)
    }
}

fn not_understood() -> Problem {
    Problem::failed(
        "What MariaDB says of the keys of its files is not understood.",
        "Is it a MariaDB server of Debian? Please report it to stayput's authors.",
    )
}

fn in_system(row: Row) -> Option<Holds> {
    let [name, schema, table] = &row[..] else {
        return None;
    };
    Some(holds(name, schema, table))
}

fn space(row: Row) -> Option<Space> {
    let [name, key, scheme, bytes, schema, table] = &row[..] else {
        return None;
    };
    let key: u32 = key.parse().ok()?;
    Some(Space {
        holds: holds(name, schema, table),
        key: (scheme != "0").then_some(key),
        bytes: bytes.parse().ok()?,
    })
}

/// What stands in the file of this name; `schema` and `table` are its parts, as SQL writes
/// them.
fn holds(name: &str, schema: &str, table: &str) -> Holds {
    let Some((_, file)) = name.split_once('/') else {
        return match name {
            _ if name.starts_with("innodb_undo") => Holds::Undo,
            _ if name.starts_with("innodb_temporary") => Holds::Temporary,
            _ => Holds::System,
        };
    };
    match file {
        // As in #sql-alter-1a-2b.
        _ if file.starts_with('#') => Holds::Unfinished,
        _ if is_full_text(file) => Holds::FullText,
        _ => Holds::Table(TableName::new(schema, table)),
    }
}

/// As in FTS_000000000000051b_0000000000000713_INDEX_1: the number of the table in 16 digits.
fn is_full_text(file: &str) -> bool {
    let number = file.strip_prefix("FTS_").and_then(|rest| rest.get(..17));
    number.is_some_and(|number| {
        let mut digits = number.bytes().take(16);
        digits.all(|digit| digit.is_ascii_hexdigit()) && number.ends_with('_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: [&str; 6]) -> Option<Space> {
        space(cells.map(str::to_owned).to_vec())
    }

    #[test]
    fn file_of_a_table_is_known_by_its_name_and_key() {
        let table = TableName::new("kli-nik", "patient");
        let of_table = |key| {
            Some(Space {
                holds: Holds::Table(table.clone()),
                key,
                bytes: 98304,
            })
        };
        let row = [
            "kli@002dnik/patient",
            "201",
            "1",
            "98304",
            "kli-nik",
            "patient",
        ];
        assert_eq!(read(row), of_table(Some(201)));
        let partition = [
            "kli@002dnik/patient#P#p0",
            "1",
            "1",
            "98304",
            "kli-nik",
            "patient",
        ];
        assert_eq!(read(partition), of_table(Some(1)));
        let clear = [
            "kli@002dnik/patient",
            "1",
            "0",
            "98304",
            "kli-nik",
            "patient",
        ];
        assert_eq!(read(clear), of_table(None));
        assert_eq!(read(["a/b", "", "1", "98304", "a", "b"]), None);
        assert_eq!(space(vec!["a/b".into()]), None);
    }

    #[test]
    fn what_stands_in_the_system_tablespace_is_told_apart_as_well() {
        let read = |cells: [&str; 3]| in_system(cells.map(str::to_owned).to_vec());
        let table = TableName::new("clinic", "old");
        let old = read(["clinic/old", "clinic", "old"]);
        assert_eq!(old, Some(Holds::Table(table)));
        let words = "FTS_000000000000051b_CONFIG";
        let of_an_index = read([&format!("clinic/{words}"), "clinic", words]);
        assert_eq!(of_an_index, Some(Holds::FullText));
    }

    #[test]
    fn files_that_are_no_tables_are_none() {
        for (name, expected) in [
            ("innodb_system", Holds::System),
            ("innodb_undo001", Holds::Undo),
            ("innodb_temporary", Holds::Temporary),
            (
                "clinic/FTS_000000000000051b_0000000000000713_INDEX_1",
                Holds::FullText,
            ),
            ("clinic/FTS_000000000000051b_CONFIG", Holds::FullText),
            ("clinic/#sql-alter-1a-2b", Holds::Unfinished),
            ("clinic/#sql-ib23", Holds::Unfinished),
        ] {
            assert_eq!(holds(name, "clinic", "x"), expected, "{name}");
        }
        for table in ["FTS_notes", "FTS_000000000000051bx", "FTS_"] {
            let name = format!("clinic/{table}");
            let expected = Holds::Table(TableName::new("clinic", table));
            assert_eq!(holds(&name, "clinic", table), expected);
        }
    }
}
