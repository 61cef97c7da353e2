//! Lists the tables of a server without opening any: opening a FEDERATED table asks
//! another server. Every column of `information_schema.TABLES` opens the table but
//! those that are selected here.

use std::collections::BTreeMap;

use super::engines::{Keeps, keeps};
use super::names::{TableName, literal};
use super::protocol::{Connection, SqlError};

/// Databases that mariadbd makes up.
pub const VIRTUAL: &str = "('information_schema', 'performance_schema')";

/// Tables of `mysql` that are about one server's files, clock and statistics:
/// the server writes them anew.
pub const REWRITTEN: [&str; 6] = [
    "general_log",
    "gtid_slave_pos",
    "innodb_index_stats",
    "innodb_table_stats",
    "slow_log",
    "transaction_registry",
];

/// A table or a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// By its database and its name.
    pub name: TableName,
    /// What it is.
    pub kind: Kind,
    /// As information_schema.TABLES names it.
    pub engine: String,
    /// Those whose values are stored, in their order.
    pub columns: Vec<Column>,
    /// It has a unique key over long columns, which MariaDB keeps as a hidden
    /// column of hashes.
    pub hashes: bool,
}

/// What a table is to the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary table.
    Plain,
    /// With the history of its rows.
    Versioned,
    /// A sequence, which has one value.
    Sequence,
}

/// A column whose values are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// As SQL names it, without quotes.
    pub name: String,
    /// `int`, `varchar`, ...
    pub kind: String,
    /// With lengths and members.
    pub full_kind: String,
    /// Empty for what is no text.
    pub charset: String,
    /// When the row began or ended to be true.
    pub period: bool,
}

impl Table {
    /// Whether its rows are this server's and have to be copied.
    pub fn keeps_rows(&self) -> bool {
        self.kind != Kind::Sequence && keeps(&self.engine) == Keeps::Rows
    }

    /// Whether its rows are somewhere else, so that only its definition is copied.
    pub fn keeps_definition_only(&self) -> bool {
        self.kind != Kind::Sequence && keeps(&self.engine) == Keeps::Definition
    }

    /// Its history is told by the numbers of transactions, which mean nothing
    /// to another server.
    pub fn by_transactions(&self) -> bool {
        let period = |column: &&Column| column.period;
        self.columns
            .iter()
            .filter(period)
            .any(|column| column.kind == "bigint")
    }

    /// Written by MariaDB before 10.1, or with mysql56_temporal_format off:
    /// the copy has the new format.
    fn has_old_temporals(&self) -> bool {
        let old = |column: &Column| column.full_kind.contains(OLD_TEMPORAL);
        self.columns.iter().any(old)
    }

    /// CHECKSUM TABLE leaves out the past, and sums what is stored, which
    /// differs for old columns, and for hidden ones from one table to its own
    /// copy.
    pub fn needs_own_sum(&self) -> bool {
        self.kind == Kind::Versioned || self.hashes || self.has_old_temporals()
    }

    /// The columns that name a row in full, the times of its truth included.
    pub fn stored_columns(&self) -> Vec<Column> {
        let mut columns = self.columns.clone();
        let explicit = columns.iter().any(|column| column.period);
        if self.kind == Kind::Versioned && !explicit {
            columns.extend(["row_start", "row_end"].map(|name| Column {
                name: name.into(),
                kind: "timestamp".into(),
                period: true,
                ..Column::default()
            }));
        }
        columns
    }
}

/// How MariaDB marks a column of the old format.
pub const OLD_TEMPORAL: &str = "/* mariadb-5.3 */";

/// Every table that has a definition of its own, by name. One that a `live`
/// server dropped while it was asked is left out.
///
/// # Errors
/// When the server does not answer.
pub fn tables(
    server: &mut Connection<'_>,
    live: bool,
) -> Result<BTreeMap<TableName, Table>, SqlError> {
    let found = server.rows(&format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN {VIRTUAL} \
         AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')"
    ))?;
    let mut tables: BTreeMap<TableName, Table> = BTreeMap::new();
    for row in found {
        let [schema, name, kind, engine] = fields(row)?;
        let name = TableName::new(&schema, &name);
        if schema == "mysql" && REWRITTEN.contains(&&*name.name) {
            continue;
        }
        let kind = match &*kind {
            "SEQUENCE" => Kind::Sequence,
            "SYSTEM VERSIONED" => Kind::Versioned,
            _ => Kind::Plain,
        };
        tables.insert(
            name.clone(),
            Table {
                name,
                kind,
                engine,
                columns: Vec::new(),
                hashes: false,
            },
        );
    }
    for which in asked_for_keys(&tables) {
        let hashed = server.rows(&format!(
            "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS \
             WHERE INDEX_TYPE = 'HASH'{which}"
        ))?;
        for row in hashed {
            let [schema, name] = fields(row)?;
            if let Some(table) = tables.get_mut(&TableName::new(&schema, &name)) {
                table.hashes = true;
            }
        }
    }
    let columns = server.rows(&format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, \
         CHARACTER_SET_NAME, IS_GENERATED, GENERATION_EXPRESSION \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN {VIRTUAL} \
         ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
    ))?;
    for row in columns {
        let [
            schema,
            table,
            name,
            kind,
            full_kind,
            charset,
            generated,
            expression,
        ] = fields(row)?;
        let period = ["ROW START", "ROW END"].contains(&&*expression);
        let Some(table) = tables.get_mut(&TableName::new(&schema, &table)) else {
            continue;
        };
        if generated == "NEVER" || period {
            table.columns.push(Column {
                name,
                kind,
                full_kind,
                charset,
                period,
            });
        }
    }
    if live {
        tables.retain(|_, table| !table.columns.is_empty());
    }
    Ok(tables)
}

/// Conditions under which the keys of all tables with rows are asked for. The
/// question opens every table that it is about: where one leads to another
/// server, only the others are asked for, one by one.
fn asked_for_keys(tables: &BTreeMap<TableName, Table>) -> Vec<String> {
    if !tables.values().any(Table::keeps_definition_only) {
        return vec![String::new()];
    }
    let with_rows = tables.values().filter(|table| table.keeps_rows());
    let condition = |table: &Table| {
        format!(
            " AND TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            literal(&table.name.schema),
            literal(&table.name.name)
        )
    };
    with_rows.map(condition).collect()
}

/// The fields of a row, of which there must be so many.
///
/// # Errors
/// When there are not.
pub fn fields<const N: usize>(row: Vec<String>) -> Result<[String; N], SqlError> {
    row.try_into().map_err(|_| SqlError::Garbled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: Kind, columns: &[(&str, &str, bool)]) -> Table {
        let column = |&(name, kind, period): &(&str, &str, bool)| Column {
            name: name.into(),
            kind: kind.into(),
            full_kind: kind.into(),
            period,
            ..Column::default()
        };
        Table {
            name: TableName::new("clinic", "t"),
            kind,
            engine: "InnoDB".into(),
            columns: columns.iter().map(column).collect(),
            hashes: false,
        }
    }

    #[test]
    fn a_table_with_hidden_hashes_is_summed_by_what_it_shows() {
        let mut hashed = table(Kind::Plain, &[("a", "text", false)]);
        assert!(!hashed.needs_own_sum());
        hashed.hashes = true;
        assert!(hashed.needs_own_sum());
    }

    #[test]
    fn nobody_asks_another_server_about_keys() {
        let named = |name: &str, engine: &str| {
            let mut table = table(Kind::Plain, &[("id", "int", false)]);
            (table.name, table.engine) = (TableName::new("clinic", name), engine.into());
            (table.name.clone(), table)
        };
        let own = BTreeMap::from([named("a", "InnoDB"), named("b", "Aria")]);
        assert_eq!(asked_for_keys(&own), [""]);
        let mixed = BTreeMap::from([named("a", "InnoDB"), named("far", "FEDERATED")]);
        let asked = asked_for_keys(&mixed);
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].ends_with(&format!("TABLE_NAME = {}", literal("a"))));
    }

    #[test]
    fn the_times_of_a_history_are_part_of_its_rows() {
        let names = |table: &Table| -> Vec<String> {
            let columns = table.stored_columns();
            columns.into_iter().map(|column| column.name).collect()
        };
        let plain = table(Kind::Plain, &[("id", "int", false)]);
        assert_eq!(names(&plain), ["id"]);
        let hidden = table(Kind::Versioned, &[("id", "int", false)]);
        assert_eq!(names(&hidden), ["id", "row_start", "row_end"]);
        let own = [
            ("id", "int", false),
            ("a", "timestamp", true),
            ("b", "timestamp", true),
        ];
        let own = table(Kind::Versioned, &own);
        assert_eq!(names(&own), ["id", "a", "b"]);
        assert!(!own.by_transactions());
        let numbers = [("a", "bigint", true), ("b", "bigint", true)];
        assert!(table(Kind::Versioned, &numbers).by_transactions());
    }

    #[test]
    fn a_federated_table_is_a_definition_only() {
        let mut federated = table(Kind::Plain, &[("w", "float", false)]);
        assert!(federated.keeps_rows());
        federated.engine = "FEDERATED".into();
        assert!(!federated.keeps_rows() && federated.keeps_definition_only());
    }
}
