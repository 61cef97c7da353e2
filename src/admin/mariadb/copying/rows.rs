//! Turns rows of one server into statements for another without loss: a FLOAT keeps
//! its digits, an ENUM its invalid value, a BIT its bits, a text its bytes whatever
//! its character set.

use zeroize::Zeroizing;

use super::names::quote;
use super::protocol::Cell;
use super::schema::{Column, Kind, Table};

/// The length at which a statement is sent, in bytes.
const STATEMENT: usize = 1 << 20;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it comes.
    Number,
    /// In quotes, as a text of ASCII.
    Text,
    /// In quotes, as bytes that nothing converts.
    Bytes,
}

impl Column {
    /// The expression that reads the value whole.
    fn expression(&self) -> String {
        let name = quote(&self.name);
        match &*self.kind {
            // A FLOAT is printed with six digits, a DOUBLE with all it has.
            "float" | "double" => format!("CAST({name} AS DOUBLE)"),
            // As a number: the text of an invalid value is that of a valid one.
            "enum" | "set" | "bit" => format!("CAST({name} AS UNSIGNED)"),
            _ => name,
        }
    }

    fn form(&self) -> Form {
        match &*self.kind {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "year"
            | "enum" | "set" | "bit" => Form::Number,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
            | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geometrycollection" | "vector" => Form::Bytes,
            // A number in quotes, for the sake of -0, which without them is 0.
            "float" | "double" => Form::Text,
            _ if self.charset.is_empty() => Form::Text,
            _ => Form::Bytes,
        }
    }
}

impl Table {
    /// The query that reads every row, the past ones included.
    pub fn read(&self) -> String {
        let columns: Vec<String> = self
            .stored_columns()
            .iter()
            .map(Column::expression)
            .collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.whole())
    }

    /// The table with its past.
    fn whole(&self) -> String {
        let past = match self.kind {
            Kind::Versioned => " FOR SYSTEM_TIME ALL",
            _ => "",
        };
        format!("{}{past}", self.name.sql())
    }

    /// A query for the number of rows, the past ones included.
    pub fn count(&self) -> String {
        format!("SELECT COUNT(*) FROM {}", self.whole())
    }

    /// A query for the number of rows and a sum over all that is in them, for
    /// tables of which CHECKSUM TABLE leaves out something (the past), or
    /// which it sums by how they are stored.
    pub fn own_sum(&self) -> String {
        let columns = self.stored_columns();
        let digests: Vec<String> = columns
            .iter()
            .map(|column| format!("IFNULL(MD5({}), '-')", column.expression()))
            .collect();
        format!(
            "SELECT COUNT(*), SUM(CAST(CONV(LEFT(MD5(CONCAT_WS('|', {})), 15), 16, 10) AS \
             DECIMAL(20))) FROM {}",
            digests.join(", "),
            self.whole()
        )
    }
}

/// Turns rows into statements.
pub struct RowWriter {
    head: Vec<u8>,
    forms: Vec<Form>,
    statement: Zeroizing<Vec<u8>>,
}

impl RowWriter {
    /// A writer for the stored columns of this table.
    pub fn new(table: &Table) -> Self {
        let columns = table.stored_columns();
        let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
        let head = format!(
            "INSERT INTO {} ({}) VALUES ",
            table.name.sql(),
            names.join(",")
        );
        Self {
            head: head.into_bytes(),
            forms: columns.iter().map(Column::form).collect(),
            statement: Zeroizing::new(Vec::with_capacity(STATEMENT + STATEMENT / 4)),
        }
    }

    /// Adds a row; the caller sends [`Self::statement`] when it is full.
    pub fn add(&mut self, row: &[Cell<'_>]) {
        let statement = &mut self.statement;
        match statement.is_empty() {
            true => statement.extend_from_slice(&self.head),
            false => statement.push(b','),
        }
        for (index, (cell, form)) in row.iter().zip(&self.forms).enumerate() {
            statement.push(if index == 0 { b'(' } else { b',' });
            match (cell, form) {
                (None, _) => statement.extend_from_slice(b"NULL"),
                (Some(value), Form::Number) => statement.extend_from_slice(value),
                (Some(value), Form::Text) => quoted(statement, value),
                (Some(value), Form::Bytes) => {
                    statement.extend_from_slice(b"_binary");
                    quoted(statement, value);
                }
            }
        }
        statement.push(b')');
    }

    /// Whether the statement is long enough to be sent.
    pub fn is_full(&self) -> bool {
        self.statement.len() >= STATEMENT
    }

    /// The INSERT with all rows that were added since it was cleared.
    pub fn statement(&self) -> &[u8] {
        &self.statement
    }

    /// Begins a new statement.
    pub fn clear(&mut self) {
        self.statement.clear();
    }
}

/// A string literal, for a session with backslash escapes and utf8mb4, in
/// which no byte of a longer sign is a quote or a backslash.
fn quoted(into: &mut Vec<u8>, value: &[u8]) {
    into.push(b'\'');
    let mut rest = value;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'\'' | b'\\' | 0))
    {
        into.extend_from_slice(&rest[..at]);
        into.push(b'\\');
        into.push(if rest[at] == 0 { b'0' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    into.extend_from_slice(rest);
    into.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::mariadb::copying::names::TableName;
    use proptest::prelude::*;

    fn visit() -> Table {
        let column = |(name, kind, charset): (&str, &str, &str)| Column {
            name: name.into(),
            kind: kind.into(),
            charset: charset.into(),
            ..Column::default()
        };
        let columns = [
            ("id", "int", ""),
            ("kg", "float", ""),
            ("state", "enum", "utf8mb4"),
            ("no`te", "varchar", "latin1"),
            ("seen", "datetime", ""),
        ];
        Table {
            name: TableName::new("clinic", "visit"),
            kind: Kind::Plain,
            engine: "InnoDB".into(),
            columns: columns.into_iter().map(column).collect(),
            hashes: false,
        }
    }

    #[test]
    fn a_weight_is_read_with_all_its_digits() {
        let read = visit().read();
        assert_eq!(
            read,
            "SELECT `id`, CAST(`kg` AS DOUBLE), CAST(`state` AS UNSIGNED), `no``te`, `seen` \
             FROM `clinic`.`visit`"
        );
        let mut past = visit();
        past.kind = Kind::Versioned;
        assert!(
            past.read()
                .ends_with("`row_start`, `row_end` FROM `clinic`.`visit` FOR SYSTEM_TIME ALL")
        );
        assert!(past.own_sum().contains("MD5(`row_end`)"));
    }

    #[test]
    fn every_value_comes_as_what_it_is() {
        let mut writer = RowWriter::new(&visit());
        writer.add(&[
            Some(b"1"),
            Some(b"-0"),
            Some(b"0"),
            Some(b"m\xfcll'\0\\"),
            None,
        ]);
        writer.add(&[
            Some(b"2"),
            None,
            Some(b"3"),
            Some(b""),
            Some(b"2012-02-31 00:00:00"),
        ]);
        let expected: &[u8] = b"INSERT INTO `clinic`.`visit` (`id`,`kg`,`state`,`no``te`,`seen`) \
            VALUES (1,'-0',0,_binary'm\xfcll\\'\\0\\\\',NULL),\
            (2,NULL,3,_binary'','2012-02-31 00:00:00')";
        assert_eq!(writer.statement(), expected);
        assert!(!writer.is_full());
    }

    proptest! {
        #[test]
        fn no_value_gets_out_of_its_quotes(value in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut text = Vec::new();
            quoted(&mut text, &value);
            let mut back = Vec::new();
            let mut inner = text[1..text.len() - 1].iter();
            while let Some(&byte) = inner.next() {
                prop_assert_ne!(byte, b'\'');
                back.push(match byte {
                    b'\\' => match inner.next() {
                        Some(b'0') => 0,
                        Some(&other) => other,
                        None => panic!("the end quote was escaped"),
                    },
                    plain => plain,
                });
            }
            prop_assert_eq!(back, value);
        }
    }
}
