//! What a server holds, as lines that can be compared: if the lines of two
//! servers are equal, they hold the same.
//!
//! A line starts with what it is about (kind and name, separated by tabs);
//! the last field is a count or a checksum, never a row's contents.

use std::collections::BTreeMap;

use crate::admin::Result;

use super::private::PrivateServer;

/// Databases that mariadbd makes up or brings with itself.
const OWN: &str = "('information_schema','performance_schema','sys')";

/// Tables of `mysql` whose rows are about one server's files or clock: the
/// server writes them anew. Routines and events are compared by themselves.
const REWRITTEN: [&str; 8] = [
    "event",
    "general_log",
    "gtid_slave_pos",
    "innodb_index_stats",
    "innodb_table_stats",
    "proc",
    "slow_log",
    "transaction_registry",
];

/// Definitions, one query per kind: kind, name, checksum.
const DEFINITIONS: [&str; 10] = [
    "SELECT 'database', SCHEMA_NAME, CONCAT_WS('|', DEFAULT_CHARACTER_SET_NAME, \
     DEFAULT_COLLATION_NAME, SCHEMA_COMMENT) FROM information_schema.SCHEMATA \
     WHERE SCHEMA_NAME NOT IN $OWN",
    "SELECT 'table', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), MD5(CONCAT_WS('|', TABLE_TYPE, \
     IFNULL(ENGINE, ''), IFNULL(AUTO_INCREMENT, ''), IFNULL(TABLE_COLLATION, ''), \
     IF(TABLE_TYPE = 'VIEW', '', TABLE_COMMENT))) \
     FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN $OWN",
    "SELECT 'column', CONCAT_WS('.', TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME), \
     MD5(CONCAT_WS('|', ORDINAL_POSITION, IFNULL(COLUMN_DEFAULT, 'none'), IS_NULLABLE, \
     COLUMN_TYPE, IFNULL(COLLATION_NAME, ''), EXTRA, COLUMN_COMMENT, \
     IFNULL(GENERATION_EXPRESSION, ''))) \
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN $OWN",
    "SELECT 'index', CONCAT_WS('.', TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX), \
     MD5(CONCAT_WS('|', NON_UNIQUE, COLUMN_NAME, IFNULL(SUB_PART, ''), INDEX_TYPE)) \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA NOT IN $OWN",
    "SELECT 'foreign key', CONCAT_WS('.', CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME), \
     MD5(CONCAT_WS('|', REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE)) \
     FROM information_schema.REFERENTIAL_CONSTRAINTS",
    "SELECT 'check', CONCAT_WS('.', CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME), \
     MD5(CHECK_CLAUSE) FROM information_schema.CHECK_CONSTRAINTS \
     WHERE CONSTRAINT_SCHEMA NOT IN $OWN",
    "SELECT 'view', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), MD5(CONCAT_WS('|', VIEW_DEFINITION, \
     CHECK_OPTION, DEFINER, SECURITY_TYPE)) FROM information_schema.VIEWS \
     WHERE TABLE_SCHEMA NOT IN $OWN",
    "SELECT 'routine', CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME, ' ', ROUTINE_TYPE), \
     MD5(CONCAT_WS('|', IFNULL(ROUTINE_DEFINITION, ''), DTD_IDENTIFIER, SQL_DATA_ACCESS, \
     SECURITY_TYPE, SQL_MODE, DEFINER, ROUTINE_COMMENT)) \
     FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN $OWN",
    "SELECT 'trigger', CONCAT(TRIGGER_SCHEMA, '.', TRIGGER_NAME), MD5(CONCAT_WS('|', \
     EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER, ACTION_TIMING, ACTION_STATEMENT, \
     SQL_MODE, DEFINER)) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN $OWN",
    "SELECT 'event', CONCAT(EVENT_SCHEMA, '.', EVENT_NAME), MD5(CONCAT_WS('|', EVENT_DEFINITION, \
     IFNULL(EXECUTE_AT, ''), IFNULL(INTERVAL_VALUE, ''), IFNULL(INTERVAL_FIELD, ''), \
     IFNULL(STARTS, ''), IFNULL(ENDS, ''), STATUS, ON_COMPLETION, SQL_MODE, DEFINER)) \
     FROM information_schema.EVENTS",
];

/// Tables per question: starting a client takes longer than counting a few
/// small tables.
const AT_ONCE: usize = 20;

/// Everything that a server holds: what it is about, and its checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    lines: BTreeMap<String, String>,
}

impl Inventory {
    /// Takes stock; `progress` gets the number of tables read so far and the
    /// number of all tables.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn take(server: &PrivateServer, mut progress: impl FnMut(usize, usize)) -> Result<Self> {
        let mut inventory = Self::default();
        let definitions = DEFINITIONS.map(|query| query.replace("$OWN", OWN));
        inventory.add(server.rows(&definitions.join(";"))?);
        let tables = server.rows(&format!(
            "SELECT TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA NOT IN {OWN} AND TABLE_TYPE <> 'VIEW'"
        ))?;
        for (index, some) in tables.chunks(AT_ONCE).enumerate() {
            progress(index * AT_ONCE, tables.len());
            let questions: Vec<String> = some.iter().filter_map(|row| question(row)).collect();
            inventory.add(server.rows(&questions.join(";"))?);
        }
        Ok(inventory)
    }

    fn add(&mut self, lines: Vec<String>) {
        for line in lines {
            if let Some((about, sum)) = line.rsplit_once('\t') {
                self.lines.insert(about.to_owned(), sum.to_owned());
            }
        }
    }

    /// The tables whose rows were counted.
    pub fn tables(&self) -> usize {
        let rows = |about: &&String| about.starts_with("rows\t");
        self.lines.keys().filter(rows).count()
    }

    /// What this one and the other disagree about, in words.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let shown = |about: &str| about.replace('\t', " ");
        let mut found = Vec::new();
        for (about, sum) in &self.lines {
            match other.lines.get(about) {
                None => found.push(format!("{} is missing", shown(about))),
                Some(theirs) if theirs != sum => found.push(format!("{} differs", shown(about))),
                Some(_) => {}
            }
        }
        let more = other
            .lines
            .keys()
            .filter(|about| !self.lines.contains_key(*about));
        found.extend(more.map(|about| format!("{} was not there before", shown(about))));
        found
    }
}

/// What is asked about the rows of one table (kind, database, name).
fn question(table: &str) -> Option<String> {
    let fields: Vec<String> = table.split('\t').map(unescape).collect();
    let [kind, schema, name] = &fields[..] else {
        return None;
    };
    if schema == "mysql" && REWRITTEN.contains(&&**name) {
        return None;
    }
    let about = literal(&format!("{schema}.{name}"));
    let table = format!("{}.{}", quote(schema), quote(name));
    Some(match &**kind {
        "SEQUENCE" => format!(
            "SELECT 'sequence', {about}, CONCAT_WS(' ', next_not_cached_value, minimum_value, \
             maximum_value, start_value, increment, cache_size, cycle_option, cycle_count) \
             FROM {table}"
        ),
        // A table that keeps its history is counted with it.
        "SYSTEM VERSIONED" => format!(
            "SELECT 'rows', {about}, COUNT(*) FROM {table} FOR SYSTEM_TIME ALL; \
             CHECKSUM TABLE {table} EXTENDED"
        ),
        _ => format!(
            "SELECT 'rows', {about}, COUNT(*) FROM {table}; CHECKSUM TABLE {table} EXTENDED"
        ),
    })
}

/// A string in SQL, whatever the session's mode says about backslashes.
pub fn literal(value: &str) -> String {
    let mut hex = String::from("_utf8mb4 X'");
    for byte in value.bytes() {
        hex.push_str(&format!("{byte:02X}"));
    }
    hex.push('\'');
    hex
}

/// A name in SQL.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Undoes what `mariadb --batch` does to tabs, line breaks and backslashes.
pub fn unescape(field: &str) -> String {
    let mut text = String::new();
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        text.push(match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('0') => '\0',
                Some(other) => other,
                None => '\\',
            },
            (plain, false) => plain,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(lines: &[&str]) -> Inventory {
        let mut inventory = Inventory::default();
        inventory.add(lines.iter().map(|&line| line.to_owned()).collect());
        inventory
    }

    #[test]
    fn a_copy_that_lost_or_changed_or_gained_anything_is_not_the_same() {
        let original = inventory(&["rows\tclinic.patient\t3", "trigger\tclinic.t\tabc"]);
        assert_eq!(original.differences(&original.clone()), [""; 0]);
        assert_eq!(
            original.differences(&inventory(&[
                "rows\tclinic.patient\t2",
                "event\tclinic.e\tx"
            ])),
            [
                "rows clinic.patient differs",
                "trigger clinic.t is missing",
                "event clinic.e was not there before"
            ]
        );
    }

    #[test]
    fn every_table_is_counted_and_summed_but_those_that_the_server_rewrites() {
        assert_eq!(question("BASE TABLE\tmysql\tproc"), None);
        let asked = question("BASE TABLE\tclinic\tpa`tient").unwrap();
        assert!(
            asked.contains("COUNT(*) FROM `clinic`.`pa``tient`;"),
            "{asked}"
        );
        assert!(asked.ends_with("CHECKSUM TABLE `clinic`.`pa``tient` EXTENDED"));
        assert!(question("BASE TABLE\tmysql\tglobal_priv").is_some());
        let history = question("SYSTEM VERSIONED\tclinic\tp").unwrap();
        assert!(history.contains("FOR SYSTEM_TIME ALL"), "{history}");
    }

    #[test]
    fn names_with_signs_are_quoted_and_read_back() {
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!(unescape(r"a\tb\\n\n"), "a\tb\\n\n");
        assert_eq!(unescape("plain\\"), "plain\\");
    }
}
