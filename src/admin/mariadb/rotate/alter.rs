//! The statement that moves one table to another key, and what a refusal of it means. Pure.

use crate::admin::mariadb::copying::{SqlError, TableName};
use crate::admin::mariadb::settings::NEW_TABLES;

/// How a table is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// People read and write it meanwhile.
    Online,
    /// People read it meanwhile; whoever writes waits for the end.
    WritersWait,
    /// The same, row by row: for what InnoDB cannot rebuild itself.
    ByCopying,
}

impl How {
    /// From the one that disturbs least.
    pub const ALL: [Self; 3] = [Self::Online, Self::WritersWait, Self::ByCopying];

    fn words(self) -> &'static str {
        match self {
            Self::Online => "ALGORITHM=INPLACE, LOCK=NONE",
            Self::WritersWait => "ALGORITHM=INPLACE, LOCK=SHARED",
            Self::ByCopying => "ALGORITHM=COPY, LOCK=SHARED",
        }
    }
}

/// For so long, in seconds, people wait at most for a table that somebody else holds up.
const WAITS_SECONDS: u32 = 5;

/// The statements that move a table. A row that was allowed once is allowed, whatever is
/// thought of it today, and a history of rows may be rebuilt. A table whose definition names
/// the key already, and whose file does not have it, is rebuilt as well.
pub fn statements(table: &TableName, id: u32, how: How) -> Vec<String> {
    vec![
        format!(
            "SET SESSION lock_wait_timeout = {WAITS_SECONDS}, innodb_strict_mode = 0, \
             check_constraint_checks = 0, system_versioning_alter_history = 'KEEP'"
        ),
        format!(
            "ALTER TABLE {} ENCRYPTION_KEY_ID={id}, FORCE, {}",
            table.sql(),
            how.words()
        ),
    ]
}

/// The statement that gives new tables this key, where the server was started before its
/// settings named it. Who is connected already makes them as before.
pub fn for_new_tables(id: u32) -> String {
    format!("SET GLOBAL {NEW_TABLES} = {id}")
}

/// The statement that only a server that has read this key runs. Its table is gone with the
/// session.
pub fn probe(id: u32) -> Vec<String> {
    vec![format!(
        "CREATE TEMPORARY TABLE `mysql`.`stayput_probe` (a INT) ENGINE=InnoDB \
         ENCRYPTION_KEY_ID={id}"
    )]
}

/// Whether [`probe`] was refused because the server has not read the key.
pub fn is_not_loaded(error: &SqlError) -> bool {
    matches!(error, SqlError::Refused { code: 1005, .. })
}

/// What a refusal means for the table, and for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody works with it: it is tried again.
    InUse,
    /// It cannot be rebuilt in this way.
    NotInThisWay,
    /// It was dropped meanwhile.
    Dropped,
    /// It stays where it is; the others may go.
    Stays,
    /// No table goes any more: the server ended, or was told to.
    Over,
}

/// What a refusal of [`statements`] means.
pub fn meaning(error: &SqlError) -> Refusal {
    match error {
        _ if error.is_absence() => Refusal::Dropped,
        SqlError::Refused { code, .. } => match code {
            // Lock wait timeout, deadlock, no wait.
            1205 | 1213 | 3572 => Refusal::InUse,
            // ALTER_OPERATION_NOT_SUPPORTED, with a reason and without; more was written
            // meanwhile than is kept at the side.
            1845 | 1846 | 1799 => Refusal::NotInThisWay,
            // The server is being stopped; the session was ended.
            1053 | 1077 | 1079 | 1927 => Refusal::Over,
            _ => Refusal::Stays,
        },
        SqlError::Gone(_) | SqlError::Silent(_) | SqlError::Garbled | SqlError::Stopped => {
            Refusal::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16) -> SqlError {
        SqlError::Refused {
            code,
            state: "HY000".into(),
        }
    }

    #[test]
    fn table_is_rebuilt_while_people_write_it() {
        let table = TableName::new("cli`nic", "patient");
        let said = statements(&table, 201, How::ALL[0]);
        assert_eq!(
            said[1],
            "ALTER TABLE `cli``nic`.`patient` ENCRYPTION_KEY_ID=201, FORCE, ALGORITHM=INPLACE, \
             LOCK=NONE"
        );
        // Whoever comes behind a statement that waits for a lock waits as well.
        assert!(said[0].contains("lock_wait_timeout = 5"), "{}", said[0]);
    }

    #[test]
    fn one_table_that_refuses_does_not_keep_the_others() {
        assert_eq!(meaning(&refused(1205)), Refusal::InUse);
        assert_eq!(meaning(&refused(1846)), Refusal::NotInThisWay);
        assert_eq!(meaning(&refused(1146)), Refusal::Dropped);
        assert_eq!(meaning(&refused(1114)), Refusal::Stays);
        assert_eq!(meaning(&refused(1053)), Refusal::Over);
        assert_eq!(meaning(&SqlError::Gone("gone".into())), Refusal::Over);
    }

    #[test]
    fn only_a_key_that_is_not_loaded_is_told_so() {
        assert!(is_not_loaded(&refused(1005)));
        assert!(!is_not_loaded(&refused(1227)));
        assert!(!is_not_loaded(&SqlError::Gone("gone".into())));
    }
}
