//! Every way in which a unit leads mariadbd elsewhere, on what systemd 252
//! and 257 tell of Debian's own units.

use serde_json::{Value, json};

use super::*;

const DEBIAN_12: &str = include_str!("systemd-252-mariadb-10.11.json");
const DEBIAN_13: &str = include_str!("systemd-257-mariadb-11.8.json");

const MYSQL: RunsAs = RunsAs {
    uid: Some(104),
    gid: Some(111),
};

/// The gate's own command, as systemd 252 tells it.
const OURS: [&str; 4] = [
    "/bin/sh",
    "-c",
    "/usr/bin/nsenter --target=1 --mount /usr/sbin/stayput mariadb gate \"$0\" || exit 255",
    "mariadb.service",
];

fn with(changes: &[(&str, Value)]) -> [Vec<LaunchFault>; 2] {
    [DEBIAN_12, DEBIAN_13].map(|text| {
        let mut answer: Value = serde_json::from_str(text).unwrap();
        for (name, data) in changes {
            answer["data"][0][*name] = json!({ "type": "", "data": data });
        }
        let unit = Properties::parse(&answer.to_string()).unwrap();
        let paths = ["/run/stayput", "/etc/mysql", "/var/lib/mysql"].map(PathBuf::from);
        faults(&unit, &paths, MYSQL, MYSQL)
    })
}

/// The one fault that both have.
fn fault(name: &str, data: Value) -> LaunchFault {
    let [mut one, other] = with(&[(name, data)]);
    assert_eq!(one, other);
    assert_eq!(one.len(), 1, "{name}: {one:?}");
    one.remove(0)
}

fn fine(name: &str, data: Value) {
    assert_eq!(
        with(&[(name, data.clone())]),
        [vec![], vec![]],
        "{name} {data}"
    );
}

fn commands(argv: &[&[&str]]) -> Value {
    let rows = argv
        .iter()
        .map(|argv| json!([argv[0], argv, ["privileged"], 0]));
    Value::Array(rows.collect())
}

#[test]
fn debians_own_units_stand_against_nothing() {
    assert_eq!(with(&[]), [vec![], vec![]]);
    fine("ExecConditionEx", commands(&[&OURS]));
    let earlier: &[&[&str]] = &[
        &[
            "/usr/bin/install",
            "-m",
            "755",
            "-o",
            "mysql",
            "-d",
            "/var/run/mysqld",
        ],
        &[
            "/bin/sh",
            "-c",
            "systemctl unset-environment _WSREP_START_POSITION",
        ],
        &[
            "/bin/sh",
            "-c",
            "[ ! -e /usr/bin/galera_recovery ] && VAR= ||   VAR=`/usr/bin/galera_recovery`; \
             [ $? -eq 0 ]   && systemctl set-environment _WSREP_START_POSITION=$VAR || exit 1",
        ],
        &[
            "/usr/bin/mariadb-install-db",
            "$MYSQLD_MULTI_INSTANCE",
            "--rpm",
        ],
    ];
    fine("ExecStartPreEx", commands(earlier));
}

#[test]
fn something_over_a_place_that_matters_is_refused() {
    for (name, data) in [
        ("BindPaths", json!([["/srv/x", "/var/lib/mysql", false, 0]])),
        ("BindPaths", json!([["/srv/x", "/var/lib", false, 0]])),
        (
            "BindPaths",
            json!([["/srv/x", "/var/lib/mysql/clinic", false, 0]]),
        ),
        (
            "BindPaths",
            json!([["/srv/x", "/var/./lib/../lib/mysql/", false, 0]]),
        ),
        (
            "BindReadOnlyPaths",
            json!([["/x", "/etc/mysql/mariadb.conf.d", true, 0]]),
        ),
        ("TemporaryFileSystem", json!([["/run", "ro"]])),
        ("MountImages", json!([["/x.img", "/var", false, []]])),
        ("InaccessiblePaths", json!(["-/run/stayput"])),
        ("RuntimeDirectory", json!(["mysqld", "stayput"])),
    ] {
        let fault = fault(name, data.clone());
        assert!(
            matches!(fault, LaunchFault::Covered { .. }),
            "{data}: {fault}"
        );
    }
}

#[test]
fn what_lies_beside_them_is_not_refused() {
    fine(
        "BindPaths",
        json!([["/srv/x", "/var/lib/mysql-files", false, 0]]),
    );
    fine("TemporaryFileSystem", json!([["/run/mysqld", ""]]));
    fine("InaccessiblePaths", json!(["/home", "/mnt"]));
    fine("RuntimeDirectory", json!(["mysqld"]));
    fine("ProtectHome", json!("tmpfs"));
    fine("PrivateTmp", json!(true));
}

#[test]
fn a_view_of_its_own_is_refused() {
    for (name, data) in [
        ("RootDirectory", json!("/srv/root")),
        ("RootImage", json!("/srv/root.img")),
        ("DynamicUser", json!(true)),
        ("PrivateUsers", json!(true)),
        ("PrivateUsersEx", json!("self")),
        ("PAMName", json!("login")),
        ("ExtensionImages", json!([["/x", false, []]])),
        ("ExtensionDirectories", json!(["/x"])),
    ] {
        let fault = fault(name, data);
        assert!(matches!(fault, LaunchFault::View(found) if found == name));
    }
}

#[test]
fn another_user_or_none_is_refused() {
    let unit = Properties::parse(DEBIAN_12).unwrap();
    for runs_as in [
        RunsAs {
            uid: Some(0),
            ..MYSQL
        },
        RunsAs { uid: None, ..MYSQL },
        RunsAs {
            gid: Some(33),
            ..MYSQL
        },
        RunsAs { gid: None, ..MYSQL },
    ] {
        assert_eq!(faults(&unit, &[], runs_as, MYSQL).len(), 1, "{runs_as:?}");
    }
}

#[test]
fn a_service_that_does_not_say_when_it_is_ready_is_refused() {
    // Its keys would leave before it has read them.
    for kind in ["simple", "exec", "forking", "oneshot"] {
        assert_eq!(fault("Type", json!(kind)), LaunchFault::Type(kind.into()));
    }
    fine("Type", json!("notify-reload"));
}

#[test]
fn something_of_the_owners_before_mariadbd_is_refused() {
    for argv in [
        &["/usr/local/bin/prepare"][..],
        &["/bin/sh", "-c", "sleep 5"],
        &["/usr/sbin/mariadbd", "--bootstrap"],
        &["/usr/bin/mariadb-install-db", "--datadir=/x"],
        &["/usr/local/sbin/sleep", "5"],
        &["/bin/sh", "-c", "/usr/sbin/stayput mariadb gate; /x"],
        &[OURS[0], OURS[1], OURS[2], "mariadb.service; /x"],
    ] {
        for name in ["ExecStartPreEx", "ExecConditionEx"] {
            let fault = fault(name, commands(&[&OURS, argv]));
            assert!(matches!(fault, LaunchFault::Before(_)), "{argv:?}");
        }
    }
    fine("ExecStartPreEx", commands(&[&["/bin/sleep", "5"]]));
}

#[test]
fn what_systemd_does_not_tell_is_refused() {
    for name in [
        "Type",
        "User",
        "BindPaths",
        "ExecStartPreEx",
        "InaccessiblePaths",
    ] {
        let fault = fault(name, Value::Null);
        assert_eq!(fault, LaunchFault::Unknown(name));
    }
}

#[test]
fn every_fault_says_what_to_do() {
    let all = [
        LaunchFault::Starts(0),
        LaunchFault::Starts(2),
        LaunchFault::Before("x".into()),
        LaunchFault::View("RootDirectory"),
        LaunchFault::Type("simple".into()),
        LaunchFault::Variables("x".into()),
        LaunchFault::Unknown("User"),
    ];
    for fault in all {
        assert!(!fault.to_string().contains('\n') && fault.next().contains("systemctl"));
    }
}
