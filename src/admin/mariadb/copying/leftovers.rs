//! Finds what stays readable on the disk although MariaDB encrypts, and the command
//! that changes it.

use crate::admin::mariadb::config::Configuration;
use crate::admin::problem::Result;

use super::client::{Client, Patient, SILENT_MAX};
use super::engines::{Keeps, keeps};
use super::names::{TableName, literal};
use super::protocol::{Connection, SqlError};
use super::schema::{self, Kind};
use super::sql_problem;

/// One thing that stays clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What stays readable, and where.
    pub what: String,
    /// A command, or what to do.
    pub mend: String,
    /// It is about rows that are not in this server's files.
    pub rows_elsewhere: bool,
}

/// What stays clear according to the server.
///
/// # Errors
/// When it does not answer.
pub(super) fn of_server(client: &Client) -> Result<Vec<Leftover>> {
    let patience = Patient(SILENT_MAX);
    let ask = || -> std::result::Result<Vec<Leftover>, SqlError> {
        let mut server = client.open(&patience)?;
        let mut found = tables(&mut server, client.is_live())?;
        found.extend(plugins(&mut server)?);
        Ok(found)
    };
    ask().map_err(|error| sql_problem::problem(&error, "looking for what cannot be encrypted"))
}

/// The owner's tables that MariaDB cannot encrypt, those whose rows are not
/// this server's, and the plugins that write statements down.
///
/// # Errors
/// When the server does not answer.
fn tables(server: &mut Connection<'_>, live: bool) -> std::result::Result<Vec<Leftover>, SqlError> {
    let mut found = Vec::new();
    for table in schema::tables(server, live)?.values() {
        if table.kind == Kind::Sequence || ["mysql", "sys"].contains(&&*table.name.schema) {
            continue;
        }
        let format = match &*table.engine {
            "Aria" => row_format(server, &table.name)?,
            _ => String::new(),
        };
        found.extend(of_table(&table.name, &table.engine, &format));
    }
    Ok(found)
}

/// The owner's tables of which rows stand in this server's files in the clear, and
/// plugins that write statements down.
///
/// # Errors
/// When the server does not answer.
pub(super) fn rows_in_clear(
    server: &mut Connection<'_>,
    live: bool,
) -> std::result::Result<Vec<String>, SqlError> {
    let found = tables(server, live)?.into_iter();
    let rows_here = found.filter(|leftover| !leftover.rows_elsewhere);
    let all = rows_here.chain(plugins(server)?);
    Ok(all.map(|leftover| leftover.what).collect())
}

fn row_format(
    server: &mut Connection<'_>,
    table: &TableName,
) -> std::result::Result<String, SqlError> {
    let rows = server.rows(&format!(
        "SELECT ROW_FORMAT FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
         AND TABLE_NAME = {}",
        literal(&table.schema),
        literal(&table.name)
    ))?;
    Ok(rows.concat().concat())
}

/// Plugins that write statements with their values into files.
///
/// # Errors
/// When the server does not answer.
fn plugins(server: &mut Connection<'_>) -> std::result::Result<Vec<Leftover>, SqlError> {
    let rows = server.rows(
        "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'AUDIT' \
         AND PLUGIN_STATUS = 'ACTIVE' \
         AND PLUGIN_NAME NOT IN ('QUERY_RESPONSE_TIME_AUDIT', 'userstat')",
    )?;
    let leftover = |row: Vec<String>| {
        let name = row.concat();
        Leftover {
            what: format!("what the plugin {name} writes down: whole statements with their values"),
            mend: format!(
                "UNINSTALL PLUGIN {name}; take it out of /etc/mysql, or have its file on an \
                 encrypted disk."
            ),
            rows_elsewhere: false,
        }
    };
    Ok(rows.into_iter().map(leftover).collect())
}

fn of_table(table: &TableName, engine: &str, format: &str) -> Option<Leftover> {
    let name = table.sql();
    match keeps(engine) {
        Keeps::Definition if engine == "MEMORY" => None,
        Keeps::Definition => Some(Leftover {
            what: format!(
                "{name} ({engine}) is copied as a definition only: its rows are not this server's"
            ),
            mend: "Look whether they are readable where they are, and whether the definition \
                   holds a password."
                .into(),
            rows_elsewhere: true,
        }),
        _ if engine == "InnoDB" || engine == "Aria" && format == "Page" => None,
        _ => Some(Leftover {
            what: format!("the rows of {name} ({engine} cannot be encrypted)"),
            mend: format!("ALTER TABLE {name} ENGINE=InnoDB;"),
            rows_elsewhere: false,
        }),
    }
}

/// What the configuration leaves clear.
pub fn settings(config: &Configuration) -> Vec<Leftover> {
    let on = |name: &str| config.value(name) == Some("TRUE");
    let mut found = Vec::new();
    let mut add = |what: &str, mend: &str| {
        found.push(Leftover {
            what: what.into(),
            mend: mend.into(),
            rows_elsewhere: false,
        });
    };
    if on("general-log") {
        add(
            "the general log: every statement with its values",
            "Set general_log = 0 in /etc/mysql and destroy the old file with `shred -u`.",
        );
    }
    if on("slow-query-log") || on("log-slow-query") {
        add(
            "the slow query log: whole statements with their values",
            "Set slow_query_log = 0 in /etc/mysql and destroy the old file with `shred -u`.",
        );
    }
    if let Some(path) = config.value("log-bin").filter(|path| path.contains('/')) {
        add(
            &format!("binary logs from before today at {path}.*"),
            "RESET MASTER; (only where no replica still reads them)",
        );
    }
    add(
        "the names of databases, tables and columns, defaults and comments (.frm files), \
         triggers and views",
        "Nothing mends this: do not put a patient's data into them.",
    );
    add(
        "aria_log.*: accounts, stored routines and events, and rows of Aria tables",
        "Keep patients' data in InnoDB tables: ALTER TABLE ... ENGINE=InnoDB;",
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_cannot_be_encrypted_come_with_their_command() {
        let table = TableName::new("clinic", "ol`d");
        let command = |engine: &str, format: &str| {
            of_table(&table, engine, format).map(|leftover| leftover.mend)
        };
        let mended = Some("ALTER TABLE `clinic`.`ol``d` ENGINE=InnoDB;".to_owned());
        assert_eq!(command("MyISAM", "Dynamic"), mended);
        assert_eq!(command("CSV", "Fixed"), mended);
        assert_eq!(command("ROCKSDB", "Fixed"), mended);
        assert_eq!(command("Aria", "Dynamic"), mended);
        assert_eq!(command("Aria", "Page"), None);
        assert_eq!(command("MEMORY", "Fixed"), None);
    }

    #[test]
    fn a_table_whose_rows_are_elsewhere_is_named() {
        for engine in ["FEDERATED", "CONNECT", "MRG_MyISAM", "BLACKHOLE"] {
            let named = of_table(&TableName::new("clinic", "far"), engine, "").unwrap();
            assert!(named.what.contains("`clinic`.`far`"), "{}", named.what);
            assert!(named.what.contains("definition only"), "{}", named.what);
        }
    }

    #[test]
    fn logs_that_hold_statements_are_named_only_where_they_are_on() {
        let named = |general: &str, word: &str| {
            let help = format!("----\ndatadir /x/\ngeneral-log {general}\n");
            let config = Configuration::parse(&help, Vec::new()).unwrap();
            settings(&config)
                .iter()
                .any(|left| left.what.contains(word))
        };
        assert!(named("TRUE", "general log"));
        assert!(!named("FALSE", "general log"));
        assert!(named("FALSE", "aria_log"));
    }
}
