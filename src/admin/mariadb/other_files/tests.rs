//! Data directories as they are found, with what people put there.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// As MariaDB 10.11 on Debian 12 answers.
const ANSWERS: &str = "\
database\tmysql
database\tclinic
database\twe@0020ird
database\tlost+found
database\texports
table\tmysql\tglobal_priv\tAria
table\tmysql\tgeneral_log\tCSV
table\tclinic\tpatient\tInnoDB
table\tclinic\tod@0020d\tInnoDB
table\tclinic\tm\tMyISAM
table\tclinic\tmp\tMyISAM
table\tclinic\ta\tAria
table\tclinic\tmg\tMRG_MyISAM
table\tclinic\tconnected\tCONNECT
table\tclinic\tdd\tInnoDB
table\tclinic\tv\t
trigger\tclinic\ttr
innodb\tclinic/FTS_0000000000000012_CONFIG
variable\tdatadir\t/var/lib/mysql/
variable\tinnodb_buffer_pool_filename\tib_buffer_pool
variable\tinnodb_data_file_path\tibdata1:12M;more:10M:autoextend
variable\tinnodb_temp_data_file_path\tibtmp1:12M:autoextend
variable\tlog_bin_basename\t/var/lib/mysql/mysql-bin
variable\tlog_bin_index\t/var/lib/mysql/mysql-bin.index
variable\tpid_file\t/var/lib/mysql/clinic.pid
variable\tssl_cert\t/var/lib/mysql/clinic.crt
variable\tssl_key\t/etc/mysql/clinic.key";

fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(cells).collect()
}

fn known() -> Known {
    Known::parse(&rows(ANSWERS)).unwrap()
}

fn file(path: &str, bytes: u64) -> Entry {
    Entry {
        path: path.into(),
        kind: Kind::File,
        bytes,
        links: 1,
    }
}

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
    let lines = report(&found, Path::new("/k")).join("\n");
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
    );
    assert!(lines[0].contains("/var/lib/mysql.kept-x"), "{lines:?}");
    assert_eq!(
        lines[1],
        "  clinic/dump?.sql.gz, 12 MB: probably a dump: rows in clear"
    );
    assert_eq!(
        lines[2],
        "  server_audit.log, 4 kB: a log; of queries or an audit: values in clear"
    );
    assert_eq!(lines[4], "Taken over as they are: ca.pem.");
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(report(&[], Path::new("/k")).is_empty());
    // However many they are, the screen holds them.
    let many = (0..500)
        .map(|n| file(&format!("export{n}.csv"), 2_000_000))
        .collect();
    let lines = report(&classify(many, &known()), Path::new("/k"));
    assert_eq!(lines.len(), 33);
    assert_eq!(lines[31], "  and 470 more, 940 MB");
}

struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        for directory in ["data/clinic/old", "data/#foreign/deep", "data/stuff"] {
            fs::create_dir_all(room.at(directory)).unwrap();
        }
        for (path, text) in [
            ("data/ibdata1", "system"),
            ("data/dump.sql", "dump"),
            ("data/ca.pem", "certificate"),
            ("data/clinic/patient.ibd", "rows"),
            ("data/clinic/dump.sql", "more"),
            ("data/clinic/old/a.ibd", "12345"),
            ("data/#foreign/x", "123"),
            ("data/#foreign/deep/y", "45"),
        ] {
            fs::write(room.at(path), text).unwrap();
        }
        symlink("/etc", room.at("data/stuff/link")).unwrap();
        room
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn found(&self) -> Vec<Found> {
        classify(list(&self.at("data"), &known()).unwrap(), &known())
    }

    fn move_kept(&self) -> std::io::Result<()> {
        let kept: Vec<PathBuf> = [
            "dump.sql",
            "clinic/dump.sql",
            "clinic/old",
            "#foreign",
            "stuff",
        ]
        .map(PathBuf::from)
        .to_vec();
        let kept = kept.iter().map(PathBuf::as_path);
        move_kept(&self.at("data"), &self.at("kept"), kept)
    }
}

#[test]
fn databases_are_listed_by_file_and_others_as_a_whole() {
    let room = Room::new();
    let listing = list(&room.at("data"), &known()).unwrap();
    let shown: Vec<(&str, Kind, u64)> = listing
        .iter()
        .map(|entry| (entry.path.to_str().unwrap(), entry.kind, entry.bytes))
        .collect();
    use Kind::{Directory, File};
    assert_eq!(
        shown,
        [
            ("#foreign", Directory, 5),
            ("ca.pem", File, 11),
            ("clinic/dump.sql", File, 4),
            ("clinic/old", Directory, 5),
            ("clinic/patient.ibd", File, 4),
            ("dump.sql", File, 4),
            ("ibdata1", File, 6),
            ("stuff", Directory, 0),
        ]
    );
    let found = room.found();
    let kept: Vec<&Path> = of(&found, Class::Kept).collect();
    assert_eq!(kept.len(), 5, "{kept:?}");
}

#[test]
fn what_is_kept_is_moved_once_and_nothing_else() {
    let room = Room::new();
    room.move_kept().unwrap();
    assert_eq!(fs::read(room.at("kept/clinic/dump.sql")).unwrap(), b"more");
    assert_eq!(fs::read(room.at("kept/#foreign/deep/y")).unwrap(), b"45");
    assert!(room.at("kept/README-stayput.txt").exists());
    let mode = fs::metadata(room.at("kept")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    let left = list(&room.at("data"), &known()).unwrap();
    let left: Vec<&Path> = left.iter().map(|entry| &*entry.path).collect();
    assert_eq!(
        left,
        ["ca.pem", "clinic/patient.ibd", "ibdata1"].map(Path::new)
    );
    // As after a power cut, also when the original is gone by then.
    room.move_kept().unwrap();
    fs::remove_dir_all(room.at("data/clinic")).unwrap();
    room.move_kept().unwrap();
    // A power cut in the middle.
    fs::rename(room.at("kept/dump.sql"), room.at("data/dump.sql")).unwrap();
    room.move_kept().unwrap();
    assert_eq!(fs::read(room.at("kept/dump.sql")).unwrap(), b"dump");
}

#[test]
fn what_is_kept_replaces_nothing() {
    let room = Room::new();
    room.move_kept().unwrap();
    fs::write(room.at("data/dump.sql"), b"a new one").unwrap();
    let error = room.move_kept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(room.at("kept/dump.sql")).unwrap(), b"dump");
    // Nor is somebody's directory taken for the place.
    let room = Room::new();
    fs::create_dir(room.at("kept")).unwrap();
    fs::write(room.at("kept/holiday.jpg"), b"").unwrap();
    assert!(room.move_kept().is_err());
    assert!(room.at("data/dump.sql").exists());
    // Something that was kept but is nowhere is an error.
    let room = Room::new();
    fs::remove_file(room.at("data/dump.sql")).unwrap();
    assert!(room.move_kept().is_err());
}

#[test]
fn a_way_out_of_the_data_directory_moves_nothing() {
    let room = Room::new();
    fs::create_dir(room.at("outside")).unwrap();
    fs::write(room.at("outside/file"), b"").unwrap();
    symlink(room.at("outside"), room.at("data/door")).unwrap();
    for path in ["../outside/file", "door/file", "/etc/passwd", ""] {
        let paths = [Path::new(path)];
        let moved = move_kept(&room.at("data"), &room.at("kept"), paths.into_iter());
        assert!(moved.is_err(), "{path}");
    }
    assert!(room.at("outside/file").exists());
}

#[test]
fn a_certificate_is_copied_with_its_mode_and_links_are_refused() {
    let room = Room::new();
    fs::create_dir(room.at("new")).unwrap();
    let carry = |name: &str| {
        let names = [Path::new(name)];
        carry_over(&room.at("data"), &room.at("new"), names.into_iter())
    };
    let mode = fs::Permissions::from_mode(0o400);
    fs::set_permissions(room.at("data/ca.pem"), mode.clone()).unwrap();
    carry("ca.pem").unwrap();
    carry("ca.pem").unwrap();
    assert_eq!(fs::read(room.at("new/ca.pem")).unwrap(), b"certificate");
    let carried = fs::metadata(room.at("new/ca.pem")).unwrap().permissions();
    assert_eq!(carried.mode() & 0o777, mode.mode());
    symlink("ca.pem", room.at("data/link.pem")).unwrap();
    fs::hard_link(room.at("data/dump.sql"), room.at("data/two.pem")).unwrap();
    for refused in ["link.pem", "two.pem", "clinic", "clinic/dump.sql", "absent"] {
        assert!(carry(refused).is_err(), "{refused}");
    }
    assert_eq!(fs::read_dir(room.at("new")).unwrap().count(), 1);
}

fn decided(replication: &Replication, discard: bool) -> Result<Vec<String>, String> {
    let found = classify(vec![file("mysql-bin.000001", 5_000_000)], &known());
    match decide(replication, &found, discard) {
        BinlogDecision::Nothing => Ok(Vec::new()),
        BinlogDecision::Say(lines) => Ok(lines),
        BinlogDecision::Refuse(problem) => Err(problem.what),
    }
}

#[test]
fn a_primary_with_replicas_is_asked_for_its_binary_logs() {
    let answers = rows("log_bin\t1\ncluster\tOFF\nreads\t10.0.0.7:4021");
    let primary = Replication::parse(&answers, &rows("2\tward\t3306\t1"), &[]);
    let refused = decided(&primary, false).unwrap_err();
    assert!(
        refused.contains("10.0.0.7:4021, server 2 ward"),
        "{refused}"
    );
    let said = decided(&primary, true).unwrap().join("\n");
    assert!(said.contains("These replicas stop"), "{said}");
}

#[test]
fn without_replicas_the_end_of_point_in_time_is_told() {
    let alone = Replication::parse(&rows("log_bin\t1\ncluster\tOFF"), &[], &[]);
    let said = decided(&alone, false).unwrap().join("\n");
    assert!(said.contains("1 files with 5 MB"), "{said}");
    assert!(
        said.contains("mysql-bin.000001") && said.contains("point in time"),
        "{said}"
    );
    let nothing = decide(&Replication::default(), &[], false);
    assert!(matches!(nothing, BinlogDecision::Nothing));
}

#[test]
fn a_replica_or_a_cluster_is_not_encrypted() {
    let row = "\tSlave has read all\tWaiting for master\tward.example\trepl\t3306";
    let replica = Replication::parse(&rows("log_bin\t0\ncluster\tOFF"), &[], &rows(row));
    let refused = decided(&replica, true).unwrap_err();
    assert!(refused.contains("replica of ward.example"), "{refused}");
    let member = Replication::parse(&rows("log_bin\t0\ncluster\tON"), &[], &[]);
    assert!(decided(&member, true).unwrap_err().contains("Galera"));
}
