//! A database that starts, and everything that would keep it from that.

use super::*;

const SHOWN: &str = "\
ExecCondition={ path=/bin/sh ; argv[]=/bin/sh -c /usr/bin/nsenter --target=1 --mount /usr/sbin/stayput mariadb gate \"$0\" || exit 255 mariadb.service ; ignore_errors=no }
MemorySwapMax=0
LimitCORE=0
LoadState=loaded
UnitFileState=enabled
NeedDaemonReload=no
";

fn assessment() -> StartAssessment {
    StartAssessment {
        drop_ins: Vec::new(),
        unit: Some(Unit::parse(SHOWN)),
        socket: Some(Unit::parse("UnitFileState=\n")),
        closed: Some(Unit::parse("UnitFileState=enabled\n")),
        faults: Ok(Vec::new()),
        keys_tried: true,
        dangers: Vec::new(),
        door: Some(Door::Open),
        data: Some("/var/lib/mysql".into()),
        has_data: true,
        runs: true,
        other_user: None,
        not_serving: None,
        others: Vec::new(),
        version: None,
    }
}

fn severities(assessment: StartAssessment) -> Vec<(&'static str, Severity)> {
    let results = judge(&Some(assessment));
    let results = results.iter();
    results.map(|found| (found.name, found.severity)).collect()
}

fn pair(what: &str) -> (String, String) {
    (what.into(), "do it".into())
}

#[test]
fn enrolled_database_is_fine_and_one_without_keys_a_warning() {
    assert_eq!(severities(assessment()), [("mariadb", Severity::Fine)]);
    assert_eq!(judge(&None)[0].severity, Severity::Warning);
}

#[test]
fn a_key_file_on_the_disk_is_told_as_no_protection() {
    let told = with_key_file(Path::new("/etc/mysql/mariadb.keys"));
    assert_eq!(told.severity, Severity::Warning);
    assert!(told.what.contains("/etc/mysql/mariadb.keys"));
}

#[test]
fn a_drop_in_that_is_masked_is_wrong_in_the_file_and_in_effect() {
    let shown = SHOWN.replace("stayput mariadb gate", "true");
    let masked = StartAssessment {
        drop_ins: vec!["/etc/systemd/system/mariadb.service.d/stayput.conf"],
        unit: Some(Unit::parse(&shown)),
        ..assessment()
    };
    let found = severities(masked);
    assert_eq!(
        found,
        [("gate", Severity::Wrong), ("unit", Severity::Wrong)]
    );
    let gone = StartAssessment {
        unit: Some(Unit::parse(&shown.replace("ExecCondition=", "Other="))),
        ..assessment()
    };
    assert_eq!(severities(gone), [("unit", Severity::Wrong)]);
}

#[test]
fn each_property_of_the_unit_counts() {
    for (from, to, severity) in [
        ("LoadState=loaded", "LoadState=masked", Severity::Wrong),
        ("LoadState=loaded", "LoadState=not-found", Severity::Wrong),
        (
            "MemorySwapMax=0",
            "MemorySwapMax=infinity",
            Severity::Warning,
        ),
        ("LimitCORE=0", "LimitCORE=infinity", Severity::Warning),
        ("=enabled", "=disabled", Severity::Wrong),
        ("=enabled", "=enabled-runtime", Severity::Wrong),
        (
            "NeedDaemonReload=no",
            "NeedDaemonReload=yes",
            Severity::Warning,
        ),
    ] {
        let changed = StartAssessment {
            unit: Some(Unit::parse(&SHOWN.replace(from, to))),
            ..assessment()
        };
        assert_eq!(severities(changed), [("unit", severity)], "{to}");
    }
    let started_by_socket = StartAssessment {
        unit: Some(Unit::parse(&SHOWN.replace("=enabled", "=disabled"))),
        socket: Some(Unit::parse("UnitFileState=enabled\n")),
        ..assessment()
    };
    let fine = [("mariadb", Severity::Fine)];
    assert_eq!(severities(started_by_socket), fine);
    for closed in ["UnitFileState=disabled", ""] {
        let changed = StartAssessment {
            closed: Some(Unit::parse(closed)),
            ..assessment()
        };
        assert_eq!(severities(changed), [("unit", Severity::Warning)]);
    }
    let unknown = StartAssessment {
        unit: None,
        ..assessment()
    };
    assert_eq!(severities(unknown), [("unit", Severity::Unknown)]);
}

#[test]
fn what_the_gate_would_say_is_said_now() {
    let refused = StartAssessment {
        faults: Ok(vec![
            pair("key 2 is missing"),
            pair("encrypt_binlog is not set"),
        ]),
        ..assessment()
    };
    let found = judge(&Some(refused));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| found.severity == Severity::Wrong));
    assert!(found[0].what.contains("key 2 is missing"), "{found:?}");
    let silent = StartAssessment {
        faults: Err(pair("mariadbd does not accept its settings")),
        ..assessment()
    };
    assert_eq!(severities(silent), [("settings", Severity::Wrong)]);
    let moved = StartAssessment {
        other_user: Some(104),
        ..assessment()
    };
    assert_eq!(severities(moved), [("key_file", Severity::Wrong)]);
}

#[test]
fn swap_is_a_warning_with_a_whole_command() {
    let swap = StartAssessment {
        dangers: vec![(
            "swap on /dev/vdb is not encrypted".into(),
            "Add --swap off.".into(),
        )],
        ..assessment()
    };
    let found = judge(&Some(swap));
    assert_eq!(found[0].severity, Severity::Warning);
    assert_eq!(found[0].next, "stayput mariadb enable --swap zram");
}

#[test]
fn the_data_is_open_only_while_the_database_runs() {
    use Door::{Bare, Covered, Foreign, Missing, Open, Unguarded};
    for door in [Open, Covered, Bare, Unguarded, Foreign, Missing] {
        for runs in [false, true] {
            for has_data in [false, true] {
                let found = severities(StartAssessment {
                    door: Some(door),
                    runs,
                    has_data,
                    ..assessment()
                });
                let severity = match (door, runs) {
                    _ if !has_data => Severity::Wrong,
                    (Foreign, _) => Severity::Wrong,
                    (Unguarded | Missing, _) | (Open, false) => Severity::Warning,
                    _ => Severity::Fine,
                };
                let worst = found.iter().map(|(_, severity)| *severity).max();
                assert_eq!(worst, Some(severity), "{door:?} {runs} {has_data}");
            }
        }
    }
}

#[test]
fn nothing_is_said_of_keys_that_were_not_tried() {
    let locked = StartAssessment {
        keys_tried: false,
        ..assessment()
    };
    let found = judge(&Some(locked));
    assert!(!found[0].what.contains("keys"), "{found:?}");
}

#[test]
fn a_server_that_runs_elsewhere_is_wrong_and_another_a_warning() {
    let elsewhere = StartAssessment {
        not_serving: Some("it works in /srv/old".into()),
        ..assessment()
    };
    assert_eq!(severities(elsewhere), [("process", Severity::Wrong)]);
    let other = |known, in_container| StartAssessment {
        others: vec![Process {
            pid: 7,
            program: "/usr/sbin/mariadbd".into(),
            directory: None,
            uid: Some(104),
            in_container,
            known,
        }],
        ..assessment()
    };
    for (known, in_container, expected) in [
        (true, false, ("process", Severity::Warning)),
        (true, true, ("mariadb", Severity::Fine)),
        (false, false, ("process", Severity::Unknown)),
    ] {
        assert_eq!(severities(other(known, in_container)), [expected]);
    }
}

#[test]
fn a_version_that_loses_torn_pages_is_a_warning() {
    let old = StartAssessment {
        version: crate::admin::mariadb::version_fault("10.11.6-MariaDB"),
        ..assessment()
    };
    let found = judge(&Some(old));
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].what.contains("10.11.6"), "{found:?}");
}
