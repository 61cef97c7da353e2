//! The rows of a restored database, held against those that the backup says it has.

use std::collections::BTreeMap;

use crate::admin::mariadb::copying::TableName;
use crate::backup::TableRows;

/// The tables that do not have their rows, in words. A table that was written while the
/// backup was made may have others, or be gone; and the backup may have tables more.
pub fn differences(tables: &[TableRows], found: &BTreeMap<TableName, u64>) -> Vec<String> {
    let certain = tables.iter().filter(|table| table.is_certain);
    let wrong = certain.filter_map(|table| {
        let name = TableName::new(&table.schema, &table.name);
        match found.get(&name) {
            Some(rows) if *rows == table.rows => None,
            Some(rows) => Some(format!("{name} has {rows} rows instead of {}", table.rows)),
            None => Some(format!("{name} is missing")),
        }
    });
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_wrote_must_have_exactly_its_rows() {
        let table = |name: &str, rows, is_certain| TableRows {
            schema: "clinic".into(),
            name: name.into(),
            rows,
            is_certain,
        };
        let tables = [
            table("same", 5, true),
            table("short", 5, true),
            table("gone", 0, true),
            table("written", 5, false),
            table("dropped", 5, false),
        ];
        let found = [("same", 5), ("short", 4), ("written", 9), ("new", 1)];
        let found = found.map(|(name, rows)| (TableName::new("clinic", name), rows));
        assert_eq!(
            differences(&tables, &BTreeMap::from(found)),
            [
                "`clinic`.`short` has 4 rows instead of 5",
                "`clinic`.`gone` is missing"
            ]
        );
    }
}
