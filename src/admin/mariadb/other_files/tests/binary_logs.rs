//! Whether the binary logs may end here.

use super::super::*;
use super::{file, known, rows};
use crate::admin::mariadb::conversion::Conversion;

fn decided(replication: &Replication, discard: bool) -> Result<Vec<String>, String> {
    let found = classify(vec![file("mysql-bin.000001", 5_000_000)], &known());
    match decide(replication, &found, discard, Conversion::Encrypt) {
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
    assert!(said.contains("go with the clear original"), "{said}");
    assert!(
        said.contains("mysql-bin.000001") && said.contains("point in time"),
        "{said}"
    );
    let nothing = decide(&Replication::default(), &[], false, Conversion::Encrypt);
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

#[test]
fn binary_logs_of_an_encrypted_database_are_not_called_clear() {
    let found = classify(vec![file("mysql-bin.000001", 5_000_000)], &known());
    let alone = Replication::parse(&rows("log_bin\t1\ncluster\tOFF"), &[], &[]);
    let said = match decide(&alone, &found, false, Conversion::Decrypt) {
        BinlogDecision::Say(lines) => lines.join("\n"),
        other => panic!("{other:?}"),
    };
    assert!(said.contains("go with the encrypted original"), "{said}");
    assert!(!said.contains("clear"), "{said}");
}
