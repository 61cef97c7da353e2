//! What stays readable on the disk although MariaDB encrypts, in plain words,
//! with the command that changes it.

use crate::admin::Result;
use crate::admin::mariadb::config::Configuration;

use super::inventory::{quote, unescape};
use super::private::PrivateServer;

/// One thing that stays clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub what: String,
    /// A command, or what to do.
    pub mend: String,
}

const OWN: &str = "('information_schema','performance_schema','sys','mysql')";

/// The tables of the owner that MariaDB cannot encrypt.
///
/// # Errors
/// When the server does not answer.
pub fn tables(server: &PrivateServer) -> Result<Vec<Leftover>> {
    let rows = server.rows(&format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, ROW_FORMAT FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA NOT IN {OWN} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') \
         AND ENGINE <> 'InnoDB' ORDER BY 1, 2"
    ))?;
    Ok(rows.iter().filter_map(|row| table(row)).collect())
}

fn table(row: &str) -> Option<Leftover> {
    let fields: Vec<String> = row.split('\t').map(unescape).collect();
    let [schema, name, engine, format] = &fields[..] else {
        return None;
    };
    let table = format!("{}.{}", quote(schema), quote(name));
    let holds_rows = match &**engine {
        "MEMORY" | "BLACKHOLE" | "FEDERATED" | "SEQUENCE" => false,
        "Aria" => format != "Page",
        _ => true,
    };
    holds_rows.then(|| Leftover {
        what: format!("the rows of {schema}.{name} ({engine} cannot be encrypted)"),
        mend: format!("ALTER TABLE {table} ENGINE=InnoDB;"),
    })
}

/// What the configuration leaves clear.
pub fn settings(config: &Configuration) -> Vec<Leftover> {
    let on = |name: &str| config.value(name) == Some("TRUE");
    let mut found = Vec::new();
    let mut add = |what: &str, mend: &str| {
        found.push(Leftover {
            what: what.into(),
            mend: mend.into(),
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
        let command = |row: &str| table(row).map(|leftover| leftover.mend);
        let mended = Some("ALTER TABLE `clinic`.`ol``d` ENGINE=InnoDB;".to_owned());
        assert_eq!(command("clinic\tol`d\tMyISAM\tDynamic"), mended);
        assert_eq!(command("clinic\tol`d\tCSV\tFixed"), mended);
        assert_eq!(command("clinic\tol`d\tAria\tDynamic"), mended);
        assert_eq!(command("clinic\ta\tAria\tPage"), None);
        assert_eq!(command("clinic\tm\tMEMORY\tFixed"), None);
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
