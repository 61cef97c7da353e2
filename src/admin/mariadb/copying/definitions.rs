//! Makes the definitions of one server in another: databases, sequences and tables,
//! each from the statement with which MariaDB itself shows it.

use std::collections::BTreeMap;

use crate::admin::problem::Result;
use crate::release::mariadb::is_of_a_generation;

use super::names::{TableName, literal, quote};
use super::protocol::{Connection, SqlError};
use super::schema::{Kind, OLD_TEMPORAL, Table, VIRTUAL, fields, tables as tables_of};
use super::sql_problem;

/// The session in which definitions are made: what was allowed once is
/// allowed, but no other engine takes the place of one that is missing.
pub const MAKING: &str = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,\
     ALLOW_INVALID_DATES', foreign_key_checks = 0, check_constraint_checks = 0, \
     innodb_strict_mode = 0";

/// A database: name, character set, collation, comment.
pub struct Database {
    /// As SQL names it, without quotes.
    pub name: String,
    /// Character set, collation and comment.
    pub options: [String; 3],
}

/// # Errors
/// When the server does not answer.
pub fn databases(server: &mut Connection<'_>) -> std::result::Result<Vec<Database>, SqlError> {
    let rows = server.rows(&format!(
        "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, SCHEMA_COMMENT \
         FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN {VIRTUAL} \
         AND SCHEMA_NAME NOT LIKE '#mysql50#%'"
    ))?;
    rows.into_iter()
        .map(|row| {
            let [name, charset, collation, comment] = fields(row)?;
            Ok(Database {
                name,
                options: [charset, collation, comment],
            })
        })
        .collect()
}

impl Database {
    fn sql(&self, verb: &str) -> String {
        let [charset, collation, comment] = &self.options;
        format!(
            "{verb} DATABASE {} CHARACTER SET {charset} COLLATE {collation} COMMENT '{}'",
            quote(&self.name),
            comment.replace('\\', "\\\\").replace('\'', "\\'")
        )
    }
}

/// The statement with which MariaDB shows a table. Old date columns are made in
/// the new format, so the mark of the old one is removed; a key that only the database of
/// before has is left out.
///
/// # Errors
/// When it cannot be read.
pub fn shown(server: &mut Connection<'_>, table: &Table) -> std::result::Result<String, SqlError> {
    let what = match table.kind {
        Kind::Sequence => "SEQUENCE",
        _ => "TABLE",
    };
    let rows = server.rows(&format!("SHOW CREATE {what} {}", table.name.sql()))?;
    let text = rows
        .into_iter()
        .next()
        .and_then(|row| row.into_iter().nth(1));
    let text = text.ok_or(SqlError::Garbled)?;
    Ok(without_rotated_key(
        &text.replace(&format!(" {OLD_TEMPORAL}"), ""),
    ))
}

/// A definition that names none of the keys that `stayput mariadb rotate` moves tables to:
/// a database that is made anew has other keys, or none. The options stand behind the last
/// bracket, where a comment may say the same words; in it MariaDB shows each quote twice.
fn without_rotated_key(definition: &str) -> String {
    const KEY: &str = " `ENCRYPTION_KEY_ID`=";
    let options = definition.rfind("\n)").unwrap_or(definition.len());
    let is_option = |(at, _): &(usize, &str)| {
        definition[options..*at]
            .matches('\'')
            .count()
            .is_multiple_of(2)
    };
    let mut found = definition.match_indices(KEY);
    let found = found.find(|found| found.0 >= options && is_option(found));
    let Some((at, _)) = found else {
        return definition.to_owned();
    };
    let value = &definition[at + KEY.len()..];
    // `= 201` as it was typed, or `='201'`.
    let inside = value.strip_prefix('\'').unwrap_or(value);
    let rest = inside.trim_start_matches(|c: char| c.is_ascii_digit());
    let id = &inside[..inside.len() - rest.len()];
    let rest = match inside.len() == value.len() {
        true => rest,
        false => rest.strip_prefix('\'').unwrap_or(rest),
    };
    match is_rotated(id) {
        true => format!("{}{rest}", &definition[..at]),
        false => definition.to_owned(),
    }
}

/// Whether a table's option names a key that tables are moved to.
pub fn is_rotated(id: &str) -> bool {
    id.parse().is_ok_and(is_of_a_generation)
}

/// The state of a sequence, in the order of its columns.
///
/// # Errors
/// When it cannot be read.
pub fn state(
    server: &mut Connection<'_>,
    sequence: &TableName,
) -> std::result::Result<String, SqlError> {
    let rows = server.rows(&format!(
        "SELECT next_not_cached_value, minimum_value, maximum_value, start_value, increment, \
         cache_size, cycle_option, cycle_count FROM {}",
        sequence.sql()
    ))?;
    let row = rows.into_iter().next().ok_or(SqlError::Garbled)?;
    Ok(row.join(", "))
}

/// Makes every database, and every table and sequence of `tables`, in the new
/// server. Those that a `live` server has not any more are left out.
///
/// # Errors
/// With what could not be read or made.
pub fn make(
    old: &mut Connection<'_>,
    new: &mut Connection<'_>,
    tables: &BTreeMap<TableName, Table>,
    live: bool,
) -> Result<()> {
    let asking = |error: SqlError| sql_problem::problem(&error, "listing the databases");
    new.run(MAKING).map_err(asking)?;
    let had = databases(new).map_err(asking)?;
    for database in had.iter().filter(|database| database.name != "mysql") {
        let doing = format!("making room for the database {}", quote(&database.name));
        new.run(&format!("DROP DATABASE {}", quote(&database.name)))
            .map_err(|error| sql_problem::problem(&error, &doing))?;
    }
    for database in databases(old).map_err(asking)? {
        let verb = if database.name == "mysql" {
            "ALTER"
        } else {
            "CREATE"
        };
        let doing = format!("making the database {}", quote(&database.name));
        new.run(&database.sql(verb))
            .map_err(|error| sql_problem::problem(&error, &doing))?;
    }
    // Tables take their defaults from sequences, of other databases too.
    let of_owner = |table: &&Table| table.name.schema != "mysql";
    let is_sequence = |table: &&Table| table.kind == Kind::Sequence;
    let (sequences, others): (Vec<&Table>, Vec<&Table>) =
        tables.values().filter(of_owner).partition(is_sequence);
    let mut order = sequences.into_iter().chain(others);
    order.try_for_each(|table| make_one(old, new, table, live))
}

/// Makes the tables of `mysql` anew, which the new server has already.
///
/// # Errors
/// With what could not be read or made.
pub fn make_system(
    old: &mut Connection<'_>,
    new: &mut Connection<'_>,
    tables: &BTreeMap<TableName, Table>,
    live: bool,
) -> Result<()> {
    let asking = |error: SqlError| sql_problem::problem(&error, "listing MariaDB's own tables");
    new.run(MAKING).map_err(asking)?;
    let views = new
        .rows(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' \
             AND TABLE_TYPE = 'VIEW'",
        )
        .map_err(asking)?;
    for view in views {
        new.run(&format!("DROP VIEW `mysql`.{}", quote(&view.join(""))))
            .map_err(asking)?;
    }
    let is_system = |table: &&Table| table.name.schema == "mysql";
    for table in tables_of(new, false)
        .map_err(asking)?
        .values()
        .filter(is_system)
    {
        new.run(&format!("DROP TABLE {}", table.name.sql()))
            .map_err(|error| sql_problem::problem(&error, &format!("replacing {}", table.name)))?;
    }
    let mut system = tables.values().filter(is_system);
    system.try_for_each(|table| make_one(old, new, table, live))
}

/// Which side an error came from.
enum Side {
    Reading(SqlError),
    Making(SqlError),
}

fn make_one(
    old: &mut Connection<'_>,
    new: &mut Connection<'_>,
    table: &Table,
    live: bool,
) -> Result<()> {
    if table.keeps_definition_only() {
        return Ok(());
    }
    let name = &table.name;
    match transfer(old, new, table) {
        Err(Side::Reading(error) | Side::Making(error)) if live && error.is_absence() => Ok(()),
        Err(Side::Reading(error)) => Err(sql_problem::problem(
            &error,
            &format!("reading the definition of {name}"),
        )),
        Err(Side::Making(error)) => {
            Err(sql_problem::problem(&error, &format!("making {name} anew")))
        }
        Ok(()) => Ok(()),
    }
}

/// ARCHIVE takes no row below its counter, which follows the rows by itself.
/// The options stand behind the last bracket; a column's comment may say the
/// same words before.
fn without_counter(definition: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    let options = definition.rfind("\n)").unwrap_or(definition.len());
    let (columns, options) = definition.split_at(options);
    match options.split_once(COUNTER) {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{columns}{before}{after}")
        }
        None => definition.to_owned(),
    }
}

fn transfer(
    old: &mut Connection<'_>,
    new: &mut Connection<'_>,
    table: &Table,
) -> std::result::Result<(), Side> {
    let mut definition = shown(old, table).map_err(Side::Reading)?;
    if table.engine == "ARCHIVE" {
        definition = without_counter(&definition);
    }
    new.run(&format!("USE {}", quote(&table.name.schema)))
        .map_err(Side::Making)?;
    new.run(&definition).map_err(Side::Making)?;
    if table.kind == Kind::Sequence {
        let state = state(old, &table.name).map_err(Side::Reading)?;
        let insert = format!("INSERT INTO {} VALUES ({state})", table.name.sql());
        new.run(&insert).map_err(Side::Making)?;
    }
    Ok(())
}

/// The name of a database's directory or of a table's files.
///
/// # Errors
/// When the server does not answer.
pub fn file_name(server: &mut Connection<'_>, name: &str) -> std::result::Result<String, SqlError> {
    let asked = format!(
        "SELECT CAST(CONVERT({} USING filename) AS BINARY)",
        literal(name)
    );
    let rows = server.rows(&asked)?;
    let name = rows
        .into_iter()
        .next()
        .and_then(|row| row.into_iter().next());
    Ok(marked(name.ok_or(SqlError::Garbled)?))
}

/// Names that are devices on another system get a mark as files.
fn marked(name: String) -> String {
    const DEVICES: [&str; 4] = ["con", "prn", "nul", "aux"];
    let lower = name.to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        lower
            .strip_prefix(device)
            .is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']))
    });
    match numbered || DEVICES.contains(&&*lower) {
        true => format!("{name}@@@"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tables_own_counter_is_left_out() {
        let table = "CREATE TABLE `a` (\n  `id` int COMMENT ' AUTO_INCREMENT=7'\n) \
                     ENGINE=ARCHIVE AUTO_INCREMENT=12 DEFAULT CHARSET=utf8mb4";
        let without = "CREATE TABLE `a` (\n  `id` int COMMENT ' AUTO_INCREMENT=7'\n) \
                       ENGINE=ARCHIVE DEFAULT CHARSET=utf8mb4";
        assert_eq!(without_counter(table), without);
        assert_eq!(without_counter(without), without);
    }

    #[test]
    fn key_of_the_database_before_is_left_out_of_a_definition() {
        let of = |options: &str| {
            let head = "CREATE TABLE `a` (\n  `id` int COMMENT ' `ENCRYPTION_KEY_ID`=201'\n) ";
            let left = without_rotated_key(&format!("{head}{options}"));
            left.strip_prefix(head).unwrap().to_owned()
        };
        let partitions = "\n PARTITION BY KEY ()\nPARTITIONS 4";
        let moved = format!("ENGINE=InnoDB `ENCRYPTION_KEY_ID`=201{partitions}");
        assert_eq!(of(&moved), format!("ENGINE=InnoDB{partitions}"));
        let quoted = "ENGINE=InnoDB `ENCRYPTION_KEY_ID`='201' WITH SYSTEM VERSIONING";
        assert_eq!(of(quoted), "ENGINE=InnoDB WITH SYSTEM VERSIONING");
        let comment = "ENGINE=InnoDB COMMENT='it''s `ENCRYPTION_KEY_ID`=7'";
        assert_eq!(of(comment), comment);
        let both = format!("{comment} `ENCRYPTION_KEY_ID`=201 `PAGE_COMPRESSED`=1");
        assert_eq!(of(&both), format!("{comment} `PAGE_COMPRESSED`=1"));
        // Keys that every database has are the owner's own choice.
        let own = "ENGINE=InnoDB `ENCRYPTION_KEY_ID`=2";
        assert_eq!(of(own), own);
        assert_eq!(of("ENGINE=InnoDB"), "ENGINE=InnoDB");
    }

    #[test]
    fn a_table_named_like_a_device_has_a_marked_file() {
        let file = |name: &str| marked(name.to_owned());
        assert_eq!(file("con"), "con@@@");
        assert_eq!(file("LPT1"), "LPT1@@@");
        assert_eq!(file("lpt0"), "lpt0");
        assert_eq!(file("console"), "console");
    }

    #[test]
    fn a_database_is_made_with_its_own_defaults() {
        let database = Database {
            name: "cli`nic".into(),
            options: ["latin1", "latin1_swedish_ci", "the ward's"].map(str::to_owned),
        };
        assert_eq!(
            database.sql("CREATE"),
            "CREATE DATABASE `cli``nic` CHARACTER SET latin1 COLLATE latin1_swedish_ci \
             COMMENT 'the ward\\'s'"
        );
    }
}
