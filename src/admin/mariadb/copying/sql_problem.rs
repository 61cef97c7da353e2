//! MariaDB's errors in words that quote no row. MariaDB's own text does: "Duplicate
//! entry 'Halima' for key 'name'".

use crate::admin::problem::Problem;

use super::protocol::SqlError;

/// The problem for people; `doing` is what was being done.
pub fn problem(error: &SqlError, doing: &str) -> Problem {
    let (what, next) = match error {
        SqlError::Refused { code, state } => {
            let (what, next) = known(*code);
            (format!("{what} (MariaDB's error {code}, {state})"), next)
        }
        SqlError::Gone(why) => (
            format!("the server is not there ({why})"),
            "Look at its messages: `journalctl -u mariadb`; `dmesg` tells whether the memory or \
             the disk gave out.",
        ),
        SqlError::Silent(time) => (
            format!("nothing came for {} minutes", time.as_secs() / 60),
            "Look at the disk's health (`dmesg`) and what the server does (`SHOW PROCESSLIST`).",
        ),
        SqlError::Garbled => (
            "the server's answer is not understood".into(),
            "Is it a MariaDB server of Debian? Please report it to stayput's authors.",
        ),
        SqlError::Stopped => (
            "another part of the copy failed".into(),
            "Run the command again.",
        ),
    };
    Problem::failed(format!("It failed while {doing}: {what}."), next)
}

/// What an error number of MariaDB means, and what a person can do about it.
fn known(code: u16) -> (&'static str, &'static str) {
    const CHECK: &str = "CHECK TABLE and REPAIR TABLE tell more and may mend it.";
    const REPORT: &str = "Please report the line above to stayput's authors.";
    match code {
        1021 | 1114 => (
            "the disk or the table is full",
            "Make room on the filesystem of the data directory.",
        ),
        1033 | 1034 | 1035 | 1194 | 1195 | 1459 | 1707 | 1815 | 1877 | 1932 => (
            "the table is damaged, or of an old version",
            "Repair it (`CHECK TABLE`, `REPAIR TABLE`, `ALTER TABLE ... FORCE`), or drop it.",
        ),
        1030 | 1712 => ("the table's engine reports an error", CHECK),
        1037 | 1038 | 1041 => ("the memory is used up", "Stop other programs for the time."),
        1040 => (
            "all connections are taken",
            "Try again when fewer people work.",
        ),
        1044 | 1045 | 1142 | 1227 | 1698 => (
            "the account may not do that",
            "Give root all privileges: `GRANT ALL ON *.* TO root@localhost WITH GRANT OPTION;`",
        ),
        1053 | 1077 | 1079 | 1927 => ("the server is being stopped", "Run the command again."),
        1062 | 1022 | 1169 | 1586 => (
            "a value stands twice where it may stand once",
            "The index is damaged: CHECK TABLE on the table named above; then ALTER TABLE ... FORCE.",
        ),
        1064 => ("a definition is not understood", REPORT),
        1118 | 1709 | 1071 => (
            "the table's rows or keys are too long for its format",
            REPORT,
        ),
        1146 | 1051 | 1049 => (
            "it is not there any more",
            "Was it dropped meanwhile? Run the command again.",
        ),
        1153 | 1301 => (
            "a row is longer than max_allowed_packet",
            "SET GLOBAL max_allowed_packet = 1073741824; and run the command again.",
        ),
        1205 | 1213 | 3572 => (
            "it is locked by somebody",
            "`SHOW PROCESSLIST` tells by whom; run the command again when that has ended.",
        ),
        1264 | 1265 | 1292 | 1366 | 1406 | 1690 | 1048 | 1364 | 4025 => {
            ("a value does not fit its column", REPORT)
        }
        1005 | 1478 => (
            "the table's options are not accepted; a key of it is not loaded, for one",
            "`systemctl restart mariadb` loads what was released; then run the command again.",
        ),
        1799 => (
            "more was written into the table meanwhile than MariaDB keeps at the side",
            "Run the command again when fewer people work.",
        ),
        1286 | 1289 => (
            "its engine is not loaded",
            "Install the engine's package and load it (INSTALL SONAME).",
        ),
        1290 | 1792 | 1836 => ("the server only reads", REPORT),
        1429 | 1430 | 1434 | 1296 => ("another server is asked and does not answer", REPORT),
        1728 | 1547 | 1548 | 1558 => (
            "MariaDB's own tables are of an old version",
            "Run `mariadb-upgrade`.",
        ),
        1969 | 1317 => (
            "the question was ended from outside",
            "Run the command again.",
        ),
        _ => (
            "MariaDB refuses",
            "`perror NUMBER` and MariaDB's documentation tell what the number means.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_its_number_and_its_place() {
        let error = SqlError::Refused {
            code: 1062,
            state: "23000".into(),
        };
        let problem = problem(&error, "writing `clinic`.`patient`");
        assert!(problem.what.contains("`clinic`.`patient`"), "{problem}");
        assert!(problem.what.contains("1062, 23000"), "{problem}");
    }
}
