//! What becomes of each file, and how it is told.

use super::super::*;
use super::{ANSWERS, file, known, rows};
use crate::admin::mariadb::conversion::Form;

fn classes(paths: &[&str]) -> Vec<Class> {
    let listing = paths.iter().map(|path| file(path, 100)).collect();
    let found = classify(listing, &known());
    found.iter().map(|found| found.class).collect()
}

fn all(class: Class, paths: &[&str]) {
    for (path, found) in paths.iter().zip(classes(paths)) {
        assert_eq!(found, class, "{path}");
    }
}

#[test]
fn what_mariadb_makes_again_is_known_exactly() {
    all(
        Class::Rebuilt,
        &[
            "aria_log.00000001",
            "aria_log_control",
            "clinic.pid",
            "ddl_recovery.log",
            "ib_buffer_pool",
            "ib_logfile0",
            "ibdata1",
            "ibtmp1",
            "more",
            "tc.log",
            "undo001",
            "clinic/FTS_0000000000000012_CONFIG.ibd",
            "clinic/a.MAD",
            "clinic/db.opt",
            "clinic/m.MYD",
            "clinic/m.MYI",
            "clinic/mg.MRG",
            "clinic/mp#P#p0.MYD",
            "clinic/od@0020d#P#p1.ibd",
            "clinic/od@0020d.par",
            "clinic/patient.TRG",
            "clinic/patient.frm",
            "clinic/patient.ibd",
            "clinic/tr.TRN",
            "clinic/v.frm",
            "we@0020ird/db.opt",
        ],
    );
}

#[test]
fn what_nobody_knows_is_kept() {
    all(
        Class::Kept,
        &[
            // Somebody's.
            "dump.sql",
            "clinic/dump.sql",
            "clinic/backup/patient.ibd",
            "exports/march.csv",
            "lost+found/#1234",
            ".mysql_history",
            "server.key",
            "debian-evil.flag",
            // Logs that hold statements.
            "clinic.log",
            "clinic-slow.log",
            "clinic.err",
            "server_audit.log",
            "mysql/general_log.CSV",
            // A table that the server does not have, or not of this engine.
            "clinic/gone.ibd",
            "clinic/gone.frm",
            "clinic/patient.MYD",
            "clinic/m.ibd",
            "clinic/connected.csv",
            "clinic/FTS_0000000000000099_CONFIG.ibd",
            "clinic/#sql-backup-1-2.ibd",
            "clinic/patient.TMD",
            "ibdata2",
            "unknown/patient.ibd",
            // Replication, clusters, other engines, a crash.
            "relay-bin.000001",
            "master.info",
            "multi-master.info",
            "galera.cache",
            "tokudb.environment",
            "core",
            "old-bin.000001",
        ],
    );
    let engine = Entry {
        kind: Kind::Directory,
        ..file("#rocksdb", 9)
    };
    assert_eq!(classify(vec![engine], &known())[0].class, Class::Kept);
}

#[test]
fn certificates_and_marks_are_carried_over() {
    all(
        Class::CarriedOver,
        &[
            "ca.pem",
            "private_key.pem",
            "clinic.crt",
            "debian-10.11.flag",
            "mysql_upgrade_info",
            "auto.cnf",
        ],
    );
    // What could lead somewhere else, or is none, is not.
    let class = |entry: Entry| classify(vec![entry], &known())[0].class;
    let link = Entry {
        kind: Kind::Link,
        ..file("ca.pem", 9)
    };
    let two = Entry {
        links: 2,
        ..file("ca.pem", 9)
    };
    assert_eq!(class(link), Class::Kept);
    assert_eq!(class(two), Class::Kept);
    assert_eq!(class(file("ca.pem", 2 << 20)), Class::Kept);
    assert_eq!(class(file("clinic/ca.pem", 9)), Class::Kept);
    // The empty one is made at each start.
    assert_eq!(class(file("multi-master.info", 0)), Class::Rebuilt);
}

#[test]
fn binary_logs_are_those_of_the_server() {
    all(
        Class::BinaryLogs,
        &["mysql-bin.000001", "mysql-bin.index", "mysql-bin.state"],
    );
    all(Class::Kept, &["mysql-bin.sql", "mysql-bin.00001"]);
}

#[test]
fn rows_behind_a_link_are_told_and_not_moved() {
    let link = |path: &str| Entry {
        kind: Kind::Link,
        ..file(path, 0)
    };
    let listing = vec![
        link("clinic/m.MYD"),
        link("exports"),
        file("clinic/dd.isl", 20),
        link("nobody"),
    ];
    let found = classify(listing, &known());
    let classes: Vec<Class> = found.iter().map(|found| found.class).collect();
    use Class::{Elsewhere, Kept};
    assert_eq!(classes, [Elsewhere, Elsewhere, Elsewhere, Kept]);
    let lines = report(&found, Path::new("/k"), Form::Clear).join("\n");
    assert!(lines.contains("clinic/m.MYD, a link"), "{lines}");
}

#[test]
fn half_an_answer_of_the_server_is_none() {
    let without = |word: &str| {
        let some: Vec<&str> = ANSWERS
            .lines()
            .filter(|line| !line.contains(word))
            .collect();
        Known::parse(&rows(&some.join("\n")))
    };
    assert_eq!(without("global_priv"), None);
    assert_eq!(without("datadir"), None);
    assert_eq!(without("database\tmysql"), None);
    assert_eq!(Known::parse(&rows("ERROR 1")), None);
}

#[test]
fn the_report_names_what_it_is_with_its_size() {
    let listing = vec![
        file("clinic/dump\u{1b}.sql.gz", 12_300_000),
        file("ca.pem", 900),
        file("server_audit.log", 4_200),
        file("ibdata1", 900),
    ];
    let lines = report(
        &classify(listing, &known()),
        Path::new("/var/lib/mysql.kept-x"),
        Form::Clear,
    );
    assert!(lines[0].contains("/var/lib/mysql.kept-x"), "{lines:?}");
    assert_eq!(
        lines[1],
        "  clinic/dump\\u001b.sql.gz, 12 MB: probably a dump: rows in clear"
    );
    assert_eq!(
        lines[2],
        "  server_audit.log, 4 kB: a log; of queries or an audit: values in clear"
    );
    assert_eq!(lines[4], "Taken over as they are: ca.pem.");
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(report(&[], Path::new("/k"), Form::Clear).is_empty());
    // However many they are, the screen holds them.
    let many = (0..500)
        .map(|n| file(&format!("export{n}.csv"), 2_000_000))
        .collect();
    let lines = report(&classify(many, &known()), Path::new("/k"), Form::Clear);
    assert_eq!(lines.len(), 33);
    assert_eq!(lines[31], "  and 470 more, 940 MB");
}

#[test]
fn files_of_an_encrypted_database_are_not_all_called_clear() {
    let listing = vec![file("clinic/lost.ibd", 5_000), file("dump.sql", 4_000)];
    let lines = report(
        &classify(listing, &known()),
        Path::new("/k"),
        Form::Encrypted,
    );
    let said = lines.join("\n");
    assert!(said.contains("lost.ibd, 5 kB: rows of a table"), "{said}");
    assert!(said.contains("probably encrypted"), "{said}");
    // Nobody has encrypted that.
    assert!(said.contains("probably a dump: rows in clear"), "{said}");
    assert!(said.contains("nobody reads without its keys"), "{said}");
}
