//! The files that the server knows as its own. Names are as on the disk, where
//! MariaDB encodes them (`a b` is `a@0020b`).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::admin::mariadb::copying::Row;

/// What a server of MariaDB 10.5 and later is asked. A directory with a foreign
/// name counts as a database; MariaDB shows its name behind `#mysql50#`.
pub const QUESTIONS: [&str; 5] = [
    "SELECT 'database', IF(LEFT(SCHEMA_NAME, 9) = '#mysql50#', \
     CAST(SUBSTR(SCHEMA_NAME, 10) AS BINARY), CAST(CONVERT(SCHEMA_NAME USING filename) AS BINARY)) \
     FROM information_schema.SCHEMATA",
    "SELECT 'table', IF(LEFT(TABLE_SCHEMA, 9) = '#mysql50#', \
     CAST(SUBSTR(TABLE_SCHEMA, 10) AS BINARY), \
     CAST(CONVERT(TABLE_SCHEMA USING filename) AS BINARY)), \
     IF(LEFT(TABLE_NAME, 9) = '#mysql50#', \
     CAST(SUBSTR(TABLE_NAME, 10) AS BINARY), CAST(CONVERT(TABLE_NAME USING filename) AS BINARY)), \
     IFNULL(ENGINE, '') FROM information_schema.TABLES",
    "SELECT 'trigger', CAST(CONVERT(TRIGGER_SCHEMA USING filename) AS BINARY), \
     CAST(CONVERT(TRIGGER_NAME USING filename) AS BINARY) FROM information_schema.TRIGGERS",
    "SELECT 'innodb', CAST(NAME AS BINARY) FROM information_schema.INNODB_SYS_TABLES \
     WHERE NAME LIKE '%/FTS\\_%'",
    "SELECT 'variable', LOWER(VARIABLE_NAME), VARIABLE_VALUE \
     FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME IN \
     ('datadir', 'innodb_buffer_pool_filename', 'innodb_data_file_path', \
     'innodb_temp_data_file_path', 'log_bin_basename', 'log_bin_index', 'pid_file', 'ssl_ca', \
     'ssl_cert', 'ssl_crl', 'ssl_key')",
];

/// The names that a server has for things, as they are on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    databases: HashSet<String>,
    /// Engine by database and table; empty for a view.
    tables: HashMap<(String, String), String>,
    triggers: HashSet<(String, String)>,
    /// InnoDB's hidden tables of full text indices.
    innodb: HashSet<(String, String)>,
    variables: HashMap<String, String>,
}

impl Known {
    /// Reads the answers to all of [`QUESTIONS`]. `None` when one is missing:
    /// without it everything would look foreign.
    pub fn parse(rows: &[Row]) -> Option<Self> {
        let mut known = Self::default();
        for fields in rows {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
            match fields[..] {
                ["database", name] => {
                    known.databases.insert(name.to_owned());
                }
                ["table", database, name, engine] => {
                    let table = pair(database, name);
                    known.tables.insert(table, engine.to_owned());
                }
                ["trigger", database, name] => {
                    known.triggers.insert(pair(database, name));
                }
                ["innodb", name] => {
                    let (database, name) = name.split_once('/')?;
                    known.innodb.insert(pair(database, name));
                }
                ["variable", name, value] => {
                    let value = value.to_owned();
                    known.variables.insert(name.to_owned(), value);
                }
                _ => return None,
            }
        }
        let whole = known.has_database("mysql")
            && known.engine("mysql", "global_priv").is_some()
            && ["datadir", "innodb_data_file_path"]
                .iter()
                .all(|name| known.variables.contains_key(*name));
        whole.then_some(known)
    }

    /// Whether a directory of this name is a database's.
    pub fn has_database(&self, name: &str) -> bool {
        self.databases.contains(name)
    }

    /// Whether some table has this engine.
    pub(super) fn has_engine(&self, engine: &str) -> bool {
        self.tables.values().any(|of| of == engine)
    }

    /// The engine of a table, by its files' name; empty for a view.
    pub(super) fn engine(&self, database: &str, table: &str) -> Option<&str> {
        let table = (database.to_owned(), table.to_owned());
        self.tables.get(&table).map(String::as_str)
    }

    /// Whether the database has a trigger of this name.
    pub(super) fn has_trigger(&self, database: &str, name: &str) -> bool {
        let trigger = (database.to_owned(), name.to_owned());
        self.triggers.contains(&trigger)
    }

    /// Whether InnoDB knows a tablespace of this name.
    pub(super) fn has_innodb(&self, database: &str, name: &str) -> bool {
        let table = (database.to_owned(), name.to_owned());
        self.innodb.contains(&table)
    }

    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// A file's name, where it lies at the top of the data directory.
    fn at_top<'a>(&self, path: &'a str) -> Option<&'a str> {
        let inside = match Path::new(path).is_absolute() {
            true => path.strip_prefix(self.variable("datadir").trim_end_matches('/'))?,
            false => path,
        };
        let name = inside.trim_start_matches(['.', '/']);
        (!name.is_empty() && !name.contains('/')).then_some(name)
    }

    /// Files of InnoDB and of the running server whose names can be set.
    pub(super) fn is_made_at_start(&self, name: &str) -> bool {
        let pool = self.variable("innodb_buffer_pool_filename");
        let made = ["innodb_data_file_path", "innodb_temp_data_file_path"]
            .into_iter()
            .flat_map(|path| self.variable(path).split(';'))
            .filter_map(|file| file.split(':').next())
            .chain([pool, self.variable("pid_file")])
            .filter_map(|path| self.at_top(path))
            .any(|made| made == name);
        made || (!pool.is_empty() && name.strip_suffix(".incomplete") == Some(pool))
    }

    /// A binary log, its index, or the state that a clean stop writes.
    pub(super) fn is_binary_log(&self, name: &str) -> bool {
        if self.at_top(self.variable("log_bin_index")) == Some(name) {
            return true;
        }
        let base = self.at_top(self.variable("log_bin_basename"));
        let rest = base.and_then(|base| name.strip_prefix(base)?.strip_prefix('.'));
        rest.is_some_and(|rest| {
            let digits = rest.bytes().all(|byte| byte.is_ascii_digit());
            (rest.len() >= 6 && digits) || ["index", "state"].contains(&rest)
        })
    }

    /// Whether the settings name this file as a certificate or a key.
    pub(super) fn is_certificate(&self, name: &str) -> bool {
        ["ssl_ca", "ssl_cert", "ssl_crl", "ssl_key"]
            .iter()
            .any(|variable| self.at_top(self.variable(variable)) == Some(name))
    }
}
