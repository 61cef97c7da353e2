//! Finds what in a server would not survive the copy, and the statement that mends
//! it, before anything is stopped.

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::problem::Result;

use super::client::{Client, Patient, SILENT_MAX};
use super::definitions::is_rotated;
use super::engines::{Keeps, keeps};
use super::names::{literal, quote};
use super::protocol::{Connection, SqlError};
use super::schema::{Kind, REWRITTEN, Table, VIRTUAL, tables};
use super::sql_problem;

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What stands in the way, in one sentence.
    pub what: String,
    /// The statement that mends it, or what to do.
    pub mend: String,
}

fn obstacle(what: impl Into<String>, mend: impl Into<String>) -> Obstacle {
    Obstacle {
        what: what.into(),
        mend: mend.into(),
    }
}

/// Everything that stands in the way of a copy of this server that is to become encrypted
/// or clear.
///
/// # Errors
/// When the server does not answer.
pub fn obstacles(client: &Client, conversion: Conversion) -> Result<Vec<Obstacle>> {
    let patience = Patient(SILENT_MAX);
    ask(client, &patience, conversion).map_err(|error| {
        sql_problem::problem(&error, &format!("asking the {} server", client.who()))
    })
}

fn ask(
    client: &Client,
    patience: &Patient,
    conversion: Conversion,
) -> std::result::Result<Vec<Obstacle>, SqlError> {
    let mut server = client.open(patience)?;
    let mut found = server_wide(&mut server)?;
    for table in tables(&mut server, client.is_live())?.values() {
        let options = match table.keeps_rows() {
            true => options(&mut server, table)?,
            false => String::new(),
        };
        found.extend(of_table(table, &options, conversion));
    }
    let unreadable = server.rows(&format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA NOT IN {VIRTUAL} AND TABLE_TYPE <> 'VIEW' AND ENGINE IS NULL"
    ))?;
    for row in unreadable {
        if let [schema, name] = &row[..] {
            let table = format!("{}.{}", quote(schema), quote(name));
            found.push(obstacle(
                format!("{table} cannot be read"),
                format!("CHECK TABLE {table}; tells why. Repair it, or DROP TABLE {table};"),
            ));
        }
    }
    Ok(found)
}

fn server_wide(server: &mut Connection<'_>) -> std::result::Result<Vec<Obstacle>, SqlError> {
    let mut found = Vec::new();
    for name in server
        .rows("SHOW ALL SLAVES STATUS")?
        .iter()
        .filter_map(|row| row.first())
    {
        found.push(obstacle(
            "this server is a replica of another",
            format!("STOP SLAVE '{name}'; RESET SLAVE '{name}' ALL; (set it up again afterwards)"),
        ));
    }
    for row in server.rows("XA RECOVER FORMAT='SQL'")? {
        let id = row.last().cloned().unwrap_or_default();
        found.push(obstacle(
            "a prepared transaction waits for its end (XA)",
            format!("XA COMMIT {id}; or XA ROLLBACK {id};"),
        ));
    }
    let odd = server.rows(
        "SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA LIKE '#mysql50#%'",
    )?;
    for row in odd {
        let name = row.join("");
        found.push(obstacle(
            format!(
                "the database {} has a name of MySQL before 5.1",
                quote(&name)
            ),
            format!(
                "ALTER DATABASE {} UPGRADE DATA DIRECTORY NAME;",
                quote(&name)
            ),
        ));
    }
    let set = server.rows(
        "SHOW GLOBAL VARIABLES WHERE (Variable_name = 'innodb_force_recovery' AND Value <> '0') \
         OR (Variable_name = 'innodb_read_only' AND Value = 'ON') \
         OR (Variable_name = 'wsrep_on' AND Value = 'ON')",
    )?;
    for row in set {
        let name = row.first().cloned().unwrap_or_default();
        found.push(obstacle(
            format!("{name} is set: the server does not work as it should, or not alone"),
            format!("Take {name} out of /etc/mysql and restart MariaDB."),
        ));
    }
    Ok(found)
}

/// What a table was made with.
fn options(server: &mut Connection<'_>, table: &Table) -> std::result::Result<String, SqlError> {
    let rows = server.rows(&format!(
        "SELECT CREATE_OPTIONS FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
         AND TABLE_NAME = {}",
        literal(&table.name.schema),
        literal(&table.name.name)
    ))?;
    Ok(rows.concat().concat())
}

fn of_table(table: &Table, options: &str, conversion: Conversion) -> Option<Obstacle> {
    let name = table.name.sql();
    let options = options.to_ascii_uppercase();
    if table.engine.is_empty()
        || table.name.schema == "mysql" && REWRITTEN.contains(&&*table.name.name)
    {
        return None;
    }
    if keeps(&table.engine) == Keeps::Unknown {
        return Some(obstacle(
            format!(
                "nothing is known about the engine {} of {name}",
                table.engine
            ),
            format!("ALTER TABLE {name} ENGINE=InnoDB;"),
        ));
    }
    if options.contains("DATA DIRECTORY") || options.contains("INDEX DIRECTORY") {
        return Some(obstacle(
            format!("{name} lies outside the data directory"),
            format!(
                "CREATE TABLE {0} LIKE {name}; INSERT INTO {0} SELECT * FROM {name}; \
                 RENAME TABLE {name} TO {1}, {0} TO {name}; DROP TABLE {1};",
                beside(table, "_new"),
                beside(table, "_old")
            ),
        ));
    }
    let compact: String = options
        .chars()
        .filter(|sign| !"`'\" ".contains(*sign))
        .collect();
    let id = compact.split("ENCRYPTION_KEY_ID=").nth(1).map(|value| {
        let end = value.find(|sign: char| !sign.is_ascii_digit());
        &value[..end.unwrap_or(value.len())]
    });
    // One that `stayput mariadb rotate` has named is left out of the definition.
    let has_own_key = id.is_some_and(|id| !is_rotated(id));
    let is_marked = compact.contains("ENCRYPTED=YES") || has_own_key;
    if conversion == Conversion::Decrypt && is_marked {
        return Some(obstacle(
            format!("{name} is marked as always to be encrypted"),
            format!("ALTER TABLE {name} ENCRYPTED=DEFAULT ENCRYPTION_KEY_ID=DEFAULT;"),
        ));
    }
    if compact.contains("ENCRYPTED=NO") {
        return Some(obstacle(
            format!("{name} is marked as never to be encrypted"),
            format!("ALTER TABLE {name} ENCRYPTED=DEFAULT;"),
        ));
    }
    if has_own_key && !matches!(id, Some("1" | "2")) {
        return Some(obstacle(
            format!("{name} names an encryption key that stayput does not make"),
            format!("ALTER TABLE {name} ENCRYPTION_KEY_ID=1;"),
        ));
    }
    if table.kind == Kind::Versioned && table.by_transactions() {
        let columns = table.columns.iter().filter(|column| column.period);
        let drops: Vec<String> = columns
            .map(|column| format!("DROP COLUMN {}", quote(&column.name)))
            .collect();
        return Some(obstacle(
            format!("the history of {name} is told by numbers of this server's transactions"),
            format!(
                "CREATE TABLE {} AS SELECT * FROM {name} FOR SYSTEM_TIME ALL; ALTER TABLE {name} \
                 DROP SYSTEM VERSIONING, DROP PERIOD FOR SYSTEM_TIME, {}; (the first keeps the \
                 history as a table of its own)",
                beside(table, "_history"),
                drops.join(", ")
            ),
        ));
    }
    None
}

/// The name of another table of the same database.
fn beside(table: &Table, end: &str) -> String {
    format!(
        "{}.{}",
        quote(&table.name.schema),
        quote(&format!("{}{end}", table.name.name))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::mariadb::copying::names::TableName;
    use crate::admin::mariadb::copying::schema::Column;

    fn table(engine: &str) -> Table {
        Table {
            name: TableName::new("clinic", "t"),
            kind: Kind::Plain,
            engine: engine.into(),
            columns: Vec::new(),
            hashes: false,
        }
    }

    #[test]
    fn each_obstacle_comes_with_its_statement() {
        let mend = |engine: &str, options: &str| {
            of_table(&table(engine), options, Conversion::Encrypt).map(|obstacle| obstacle.mend)
        };
        assert_eq!(mend("InnoDB", "row_format=DYNAMIC"), None);
        assert_eq!(mend("FEDERATED", ""), None);
        assert_eq!(
            mend("Columnstore", "").unwrap(),
            "ALTER TABLE `clinic`.`t` ENGINE=InnoDB;"
        );
        assert_eq!(
            mend("InnoDB", "`ENCRYPTED`=NO").unwrap(),
            "ALTER TABLE `clinic`.`t` ENCRYPTED=DEFAULT;"
        );
        assert!(mend("InnoDB", "`ENCRYPTION_KEY_ID`=17").is_some());
        assert!(mend("InnoDB", "`ENCRYPTION_KEY_ID`=1").is_none());
        assert!(mend("InnoDB", "`ENCRYPTION_KEY_ID`=201").is_none());
        let away = mend("InnoDB", "DATA DIRECTORY='/x/'").unwrap();
        assert!(
            away.contains("RENAME TABLE `clinic`.`t` TO `clinic`.`t_old`"),
            "{away}"
        );
    }

    #[test]
    fn table_that_asks_for_keys_is_not_taken_where_there_are_none() {
        let to = |conversion, options| of_table(&table("InnoDB"), options, conversion);
        for options in ["`ENCRYPTED`=YES", "`ENCRYPTION_KEY_ID`=2"] {
            assert_eq!(to(Conversion::Encrypt, options), None);
            let mend = to(Conversion::Decrypt, options).unwrap().mend;
            assert!(mend.contains("ENCRYPTED=DEFAULT"), "{mend}");
        }
        assert_eq!(to(Conversion::Decrypt, "row_format=DYNAMIC"), None);
        // What a rotation has named is none of the table's own.
        assert_eq!(to(Conversion::Decrypt, "`ENCRYPTION_KEY_ID`=201"), None);
    }

    #[test]
    fn a_history_by_transactions_is_kept_as_a_table() {
        let mut versioned = table("InnoDB");
        versioned.kind = Kind::Versioned;
        let period = |name: &str| Column {
            name: name.into(),
            kind: "bigint".into(),
            period: true,
            ..Column::default()
        };
        versioned.columns = vec![period("rs"), period("re")];
        let mend = of_table(&versioned, "", Conversion::Encrypt).unwrap().mend;
        assert!(mend.contains("`t_history` AS SELECT *"), "{mend}");
        assert!(
            mend.contains("DROP COLUMN `rs`, DROP COLUMN `re`"),
            "{mend}"
        );
    }
}
