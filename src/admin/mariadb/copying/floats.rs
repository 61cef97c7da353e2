//! Tables with FLOAT columns. A dump writes a FLOAT with six digits, so that
//! a weight of 3.1415927 comes back as 3.14159. Their rows are therefore
//! written by statements of our own, with the FLOAT as a DOUBLE, which has
//! all its digits.

use crate::admin::Result;

use super::inventory::{literal, quote, unescape};
use super::private::PrivateServer;

/// A table whose rows the dump would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatTable {
    schema: String,
    name: String,
    columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    kind: String,
    charset: String,
}

/// The session that writes them: nothing may be checked, counted up or
/// shifted by the clock a second time.
pub const SESSION: &str = "SET NAMES utf8mb4; SET time_zone = '+00:00'; \
     SET foreign_key_checks = 0; SET unique_checks = 0; SET check_constraint_checks = 0; \
     SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; SET autocommit = 0;";

/// The session that reads them.
pub const READ_SESSION: &str = "SET time_zone = '+00:00', sql_mode = ''";

impl FloatTable {
    /// All of them. Tables with a history stay with the dump, which alone can
    /// write it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn all(server: &PrivateServer) -> Result<Vec<Self>> {
        let columns = server.rows(
            "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, \
             IFNULL(c.CHARACTER_SET_NAME, '') FROM information_schema.COLUMNS c \
             JOIN (SELECT DISTINCT f.TABLE_SCHEMA, f.TABLE_NAME FROM information_schema.COLUMNS f \
             JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) \
             WHERE f.DATA_TYPE = 'float' AND t.TABLE_TYPE = 'BASE TABLE' \
             AND f.TABLE_SCHEMA NOT IN ('mysql','information_schema','performance_schema','sys')) w \
             USING (TABLE_SCHEMA, TABLE_NAME) WHERE c.IS_GENERATED = 'NEVER' \
             ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION",
        )?;
        Ok(Self::group(&columns))
    }

    fn group(rows: &[String]) -> Vec<Self> {
        let mut tables: Vec<Self> = Vec::new();
        for row in rows {
            let fields: Vec<String> = row.split('\t').map(unescape).collect();
            let [schema, name, column, kind, charset] = &fields[..] else {
                continue;
            };
            let known = tables
                .last()
                .is_some_and(|table| table.schema == *schema && table.name == *name);
            if !known {
                tables.push(Self {
                    schema: schema.clone(),
                    name: name.clone(),
                    columns: Vec::new(),
                });
            }
            if let Some(table) = tables.last_mut() {
                table.columns.push(Column {
                    name: column.clone(),
                    kind: kind.clone(),
                    charset: charset.clone(),
                });
            }
        }
        tables
    }

    /// The option that keeps this table's rows out of the dump.
    pub fn ignore(&self) -> String {
        format!("--ignore-table-data={}.{}", self.schema, self.name)
    }

    /// A query whose result is statements: one per row of the table.
    pub fn query(&self) -> String {
        let table = format!("{}.{}", quote(&self.schema), quote(&self.name));
        let names: Vec<String> = self.columns.iter().map(|c| quote(&c.name)).collect();
        let values: Vec<String> = self.columns.iter().map(Column::literal).collect();
        let head = format!("INSERT INTO {table} ({}) VALUES (", names.join(","));
        format!(
            "SELECT CONCAT({}, CONCAT_WS(',', {}), ');') FROM {table}",
            literal(&head),
            values.join(", ")
        )
    }
}

impl Column {
    /// An expression whose value is this column's value as a literal of SQL.
    fn literal(&self) -> String {
        let name = quote(&self.name);
        let hex = |introducer: &str| format!("CONCAT('{introducer}X''', HEX({name}), '''')");
        let literal = match (&*self.kind, &*self.charset) {
            ("float", _) => format!("CAST({name} AS DOUBLE)"),
            ("bit", _) => format!("{name} + 0"),
            (
                "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
                | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
                | "multilinestring" | "multipolygon" | "geometrycollection",
                _,
            ) => hex(""),
            (_, "") => format!("QUOTE({name})"),
            (_, charset) => hex(&format!("_{charset} ")),
        };
        format!("IF({name} IS NULL, 'NULL', {literal})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_keeps_all_its_digits() {
        let rows = [
            "clinic\tvisit\tid\tint\t".to_owned(),
            "clinic\tvisit\tkg\tfloat\t".to_owned(),
            "clinic\tvisit\tno`te\tvarchar\tlatin1".to_owned(),
            "ward\tbed\tw\tfloat\t".to_owned(),
        ];
        let tables = FloatTable::group(&rows);
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0].ignore(), "--ignore-table-data=clinic.visit");
        let query = tables[0].query();
        assert!(query.contains("CAST(`kg` AS DOUBLE)"), "{query}");
        assert!(query.contains("QUOTE(`id`)"), "{query}");
        let hex = "CONCAT('_latin1 X''', HEX(`no``te`), '''')";
        assert!(query.contains(hex), "{query}");
        assert!(query.ends_with("FROM `clinic`.`visit`"), "{query}");
    }
}
