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

fn standing() -> Standing {
    Standing {
        drop_ins: Vec::new(),
        unit: Some(Unit::parse(SHOWN)),
        closed: Some(Unit::parse("UnitFileState=enabled\n")),
        faults: Ok(Vec::new()),
        keys_tried: true,
        dangers: Vec::new(),
        door: Some(Door::Open),
        has_data: true,
        runs: true,
        other_user: None,
        not_serving: None,
        others: Vec::new(),
        version: None,
    }
}

fn verdicts(standing: Standing) -> Vec<(&'static str, Verdict)> {
    let findings = judge(&Some(standing));
    let findings = findings.iter();
    findings.map(|found| (found.name, found.verdict)).collect()
}

fn pair(what: &str) -> (String, String) {
    (what.into(), "do it".into())
}

#[test]
fn a_database_as_enrolled_is_fine_and_one_without_keys_is_told_of() {
    assert_eq!(verdicts(standing()), [("mariadb", Verdict::Fine)]);
    assert_eq!(judge(&None)[0].verdict, Verdict::Warning);
}

#[test]
fn a_drop_in_that_is_masked_is_wrong_in_the_file_and_in_effect() {
    let shown = SHOWN.replace("stayput mariadb gate", "true");
    let masked = Standing {
        drop_ins: vec!["/etc/systemd/system/mariadb.service.d/stayput.conf"],
        unit: Some(Unit::parse(&shown)),
        ..standing()
    };
    let found = verdicts(masked);
    assert_eq!(found, [("gate", Verdict::Wrong), ("unit", Verdict::Wrong)]);
    let gone = Standing {
        unit: Some(Unit::parse(&shown.replace("ExecCondition=", "Other="))),
        ..standing()
    };
    assert_eq!(verdicts(gone), [("unit", Verdict::Wrong)]);
}

#[test]
fn each_property_of_the_unit_counts() {
    for (from, to, verdict) in [
        ("LoadState=loaded", "LoadState=masked", Verdict::Wrong),
        ("LoadState=loaded", "LoadState=not-found", Verdict::Wrong),
        (
            "MemorySwapMax=0",
            "MemorySwapMax=infinity",
            Verdict::Warning,
        ),
        ("LimitCORE=0", "LimitCORE=infinity", Verdict::Warning),
        ("=enabled", "=disabled", Verdict::Warning),
        (
            "NeedDaemonReload=no",
            "NeedDaemonReload=yes",
            Verdict::Warning,
        ),
    ] {
        let changed = Standing {
            unit: Some(Unit::parse(&SHOWN.replace(from, to))),
            ..standing()
        };
        assert_eq!(verdicts(changed), [("unit", verdict)], "{to}");
    }
    for closed in ["UnitFileState=disabled", ""] {
        let changed = Standing {
            closed: Some(Unit::parse(closed)),
            ..standing()
        };
        assert_eq!(verdicts(changed), [("unit", Verdict::Warning)]);
    }
    let unknown = Standing {
        unit: None,
        ..standing()
    };
    assert_eq!(verdicts(unknown), [("unit", Verdict::Unknown)]);
}

#[test]
fn what_the_gate_would_say_is_said_now() {
    let refused = Standing {
        faults: Ok(vec![
            pair("key 2 is missing"),
            pair("encrypt_binlog is not set"),
        ]),
        ..standing()
    };
    let found = judge(&Some(refused));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| found.verdict == Verdict::Wrong));
    assert!(found[0].what.contains("key 2 is missing"), "{found:?}");
    let silent = Standing {
        faults: Err(pair("mariadbd does not accept its settings")),
        ..standing()
    };
    assert_eq!(verdicts(silent), [("settings", Verdict::Wrong)]);
    let moved = Standing {
        other_user: Some(104),
        ..standing()
    };
    assert_eq!(verdicts(moved), [("key-file", Verdict::Wrong)]);
}

#[test]
fn swap_is_a_warning_with_a_whole_command() {
    let swap = Standing {
        dangers: vec![(
            "swap on /dev/vdb is not encrypted".into(),
            "Add --swap off.".into(),
        )],
        ..standing()
    };
    let found = judge(&Some(swap));
    assert_eq!(found[0].verdict, Verdict::Warning);
    assert_eq!(found[0].next, "stayput mariadb enable --swap zram");
}

#[test]
fn the_data_is_open_only_while_the_database_runs() {
    use Door::{Bare, Covered, Foreign, Missing, Open, Unguarded};
    for door in [Open, Covered, Bare, Unguarded, Foreign, Missing] {
        for runs in [false, true] {
            for has_data in [false, true] {
                let found = verdicts(Standing {
                    door: Some(door),
                    runs,
                    has_data,
                    ..standing()
                });
                let verdict = match (door, runs) {
                    _ if !has_data => Verdict::Wrong,
                    (Foreign, _) => Verdict::Wrong,
                    (Unguarded | Missing, _) | (Open, false) => Verdict::Warning,
                    _ => Verdict::Fine,
                };
                let worst = found.iter().map(|(_, verdict)| *verdict).max();
                assert_eq!(worst, Some(verdict), "{door:?} {runs} {has_data}");
            }
        }
    }
}

#[test]
fn nothing_is_said_of_keys_that_were_not_tried() {
    let locked = Standing {
        keys_tried: false,
        ..standing()
    };
    let found = judge(&Some(locked));
    assert!(!found[0].what.contains("keys"), "{found:?}");
}

#[test]
fn a_server_that_runs_elsewhere_is_wrong_and_another_a_warning() {
    let elsewhere = Standing {
        not_serving: Some("it works in /srv/old".into()),
        ..standing()
    };
    assert_eq!(verdicts(elsewhere), [("process", Verdict::Wrong)]);
    let other = |known, in_container| Standing {
        others: vec![Process {
            pid: 7,
            program: "/usr/sbin/mariadbd".into(),
            directory: None,
            uid: Some(104),
            in_container,
            known,
        }],
        ..standing()
    };
    for (known, in_container, expected) in [
        (true, false, ("process", Verdict::Warning)),
        (true, true, ("mariadb", Verdict::Fine)),
        (false, false, ("process", Verdict::Unknown)),
    ] {
        assert_eq!(verdicts(other(known, in_container)), [expected]);
    }
}

#[test]
fn a_version_that_loses_torn_pages_is_a_warning() {
    let old = Standing {
        version: crate::admin::mariadb::version_fault("10.11.6-MariaDB"),
        ..standing()
    };
    let found = judge(&Some(old));
    assert_eq!(found[0].verdict, Verdict::Warning);
    assert!(found[0].what.contains("10.11.6"), "{found:?}");
}
