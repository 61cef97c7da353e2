//! Every way in which a start was seen to do harm, one by one.

use super::*;
use crate::keys::{Keyring, Secret32};
use crate::release::mariadb::{KeyFile, MariadbRelease};

/// The rows of mariadbd's table that matter, as mariadbd 10.11 prints them
/// with the settings of `enable`.
const GOOD: &[(&str, &str)] = &[
    ("aria-encrypt-tables", "TRUE"),
    ("aria-log-dir-path", "/var/lib/mysql/"),
    ("datadir", "/var/lib/mysql/"),
    ("encrypt-binlog", "TRUE"),
    ("encrypt-tmp-disk-tables", "TRUE"),
    ("encrypt-tmp-files", "TRUE"),
    ("file-key-management-encryption-algorithm", "aes_ctr"),
    ("file-key-management-filekey", ""),
    ("file-key-management-filename", "/run/stayput/mariadb.keys"),
    ("innodb-data-file-path", "ibdata1:12M:autoextend"),
    ("innodb-data-home-dir", "(No default value)"),
    ("innodb-default-encryption-key-id", "1"),
    ("innodb-encrypt-log", "TRUE"),
    ("innodb-encrypt-tables", "FORCE"),
    ("innodb-encrypt-temporary-tables", "TRUE"),
    ("innodb-log-group-home-dir", "(No default value)"),
    ("innodb-undo-directory", "(No default value)"),
    ("wsrep-on", "FALSE"),
];

const FORCED: &str = "--loose_file_key_management=FORCE_PLUS_PERMANENT";

fn config(change: impl Fn(&str) -> Option<String>, arguments: &[&str]) -> Configuration {
    let mut help = String::from("-----\n");
    for (name, value) in GOOD {
        let value = change(name).unwrap_or_else(|| (*value).to_owned());
        if value != "(gone)" {
            help.push_str(&format!("{name:60} {value}\n"));
        }
    }
    if let Some(value) = change("file-key-management") {
        help.push_str(&format!("{:60} {value}\n", "file-key-management"));
    }
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    Configuration::parse(&help, arguments).unwrap()
}

fn good() -> Configuration {
    config(|_| None, &[FORCED])
}

fn with(name: &str, value: &str) -> Configuration {
    config(|row| (row == name).then(|| value.to_owned()), &[FORCED])
}

fn master(byte: u8) -> Keyring {
    Keyring::of_bytes(byte)
}

fn check() -> CheckFile {
    MariadbRelease::new(104, 111, 1)
        .check_file(&master(1), "/var/lib/mysql")
        .unwrap()
}

fn keys() -> Vec<ReleasedKey> {
    let file = MariadbRelease::new(104, 111, 1).key_file(&master(1));
    KeyFile::parse(file.as_bytes())
        .unwrap()
        .into_iter()
        .collect()
}

fn faults(config: &Configuration) -> Vec<StartFault> {
    settings_faults(config, &check(), &keys())
}

#[test]
fn a_server_as_it_was_enrolled_may_start() {
    assert_eq!(faults(&good()), []);
}

#[test]
fn a_key_that_is_absent_or_wrong_stops_the_start() {
    let judged = |keys: &[ReleasedKey]| settings_faults(&good(), &check(), keys);
    let wrong = |index: usize| {
        let mut keys = keys();
        keys[index].key = Secret32::new([9; 32]);
        keys
    };
    assert!(judged(&[]).contains(&StartFault::Key(KeyFault::Missing(1))));
    assert_eq!(
        judged(&keys()[..1]),
        [StartFault::Key(KeyFault::Missing(2))]
    );
    assert_eq!(judged(&wrong(0)), [StartFault::Key(KeyFault::Wrong(1))]);
    assert_eq!(judged(&wrong(1)), [StartFault::Key(KeyFault::Wrong(2))]);
    let mut more = keys();
    more.push(ReleasedKey {
        id: 3,
        key: Secret32::new([9; 32]),
    });
    assert_eq!(judged(&more), [StartFault::Key(KeyFault::Unknown(3))]);
}

#[test]
fn without_the_plugin_there_is_no_start() {
    let bare = config(
        |row| row.starts_with("file-key").then(|| "(gone)".to_owned()),
        &[],
    );
    assert!(faults(&bare).contains(&StartFault::PluginAbsent));
}

#[test]
fn a_plugin_that_may_be_switched_off_stops_the_start() {
    let last = |arguments: &[&str]| faults(&config(|_| None, arguments));
    let optional = |state: &str| vec![StartFault::PluginOptional(state.into())];
    assert_eq!(last(&[]), optional("ON"));
    assert_eq!(
        last(&[FORCED, "--skip-file-key-management"]),
        optional("OFF")
    );
    assert_eq!(
        last(&[FORCED, "--file-key-management=FORCE"]),
        optional("FORCE")
    );
    // However the arguments were read: mariadbd's own word counts too.
    assert_eq!(
        faults(&with("file-key-management", "ON")),
        optional("FORCE_PLUS_PERMANENT")
    );
    // Later arguments may put it right again.
    assert_eq!(last(&["--skip-file-key-management", FORCED]), []);
}

#[test]
fn each_demanded_setting_is_demanded() {
    for setting in SETTINGS.iter() {
        let Some(demanded) = setting.demanded else {
            continue;
        };
        let row = setting.name.replace('_', "-");
        // Its absence means that there is no plugin.
        let marker = row == "file-key-management-encryption-algorithm";
        for value in ["FALSE", "aes_cbc", "ON", "(gone)", "(No default value)", ""] {
            let found = faults(&with(&row, value));
            let named = found.iter().any(|fault| match fault {
                StartFault::Setting { name, .. } => *name == setting.name,
                StartFault::PluginAbsent => marker && value == "(gone)",
                _ => false,
            });
            assert!(
                named,
                "{row} = {value:?} (not {demanded}) passed: {found:?}"
            );
        }
    }
}

#[test]
fn every_setting_that_protects_is_among_the_demanded() {
    // The list is what the gate goes by; a line lost there is a hole here.
    let demanded: Vec<&str> = SETTINGS
        .iter()
        .filter(|setting| setting.demanded.is_some())
        .map(|setting| setting.name)
        .collect();
    assert_eq!(
        demanded,
        [
            "file_key_management_filename",
            "file_key_management_encryption_algorithm",
            "innodb_encrypt_tables",
            "innodb_encrypt_log",
            "innodb_encrypt_temporary_tables",
            "aria_encrypt_tables",
            "encrypt_binlog",
            "encrypt_tmp_files",
            "encrypt_tmp_disk_tables",
        ]
    );
}

#[test]
fn an_encrypted_key_file_is_not_ours() {
    let found = faults(&with("file-key-management-filekey", "FILE:/etc/key"));
    assert_eq!(found, [StartFault::KeyFileEncrypted]);
}

#[test]
fn another_data_directory_stops_the_start() {
    for path in [
        "/srv/mysql/",
        "/var/lib/stayput/mariadb/",
        "/var/lib/mysql2/",
    ] {
        let found = faults(&with("datadir", path));
        assert!(
            matches!(&found[..], [StartFault::DataDirectory { .. }]),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn a_part_of_the_data_elsewhere_stops_the_start() {
    for name in DIRECTORIES {
        assert_eq!(
            faults(&with(name, "/srv/part/")),
            [StartFault::Elsewhere {
                name,
                found: "/srv/part".into()
            }]
        );
        for inside in ["./", "/var/lib/mysql/", "/var/lib/mysql"] {
            assert_eq!(faults(&with(name, inside)), [], "{name} = {inside}");
        }
    }
}

#[test]
fn a_default_key_that_was_never_released_stops_the_start() {
    let row = "innodb-default-encryption-key-id";
    assert_eq!(faults(&with(row, "2")), []);
    assert_eq!(
        faults(&with(row, "7")),
        [StartFault::DefaultKey("7".into())]
    );
}

#[test]
fn every_fault_says_what_and_what_next_in_one_line_each() {
    let everything = config(
        |row| match row {
            "file-key-management" => Some("ON".into()),
            "datadir" | "innodb-undo-directory" => Some("/x/".into()),
            "file-key-management-filekey" => Some("x".into()),
            "file-key-management-encryption-algorithm" => Some("aes_cbc".into()),
            "innodb-default-encryption-key-id" => Some("9".into()),
            _ => Some("(gone)".into()),
        },
        &[],
    );
    let found = settings_faults(&everything, &check(), &[]);
    assert!(found.len() > 10, "{found:?}");
    for fault in &found {
        for text in [fault.to_string(), fault.next()] {
            assert!(
                !text.is_empty() && !text.contains('\n') && !text.contains("  "),
                "{text}"
            );
        }
    }
}

#[test]
fn a_system_tablespace_with_a_path_stops_the_start() {
    let row = |value: &str| faults(&with("innodb-data-file-path", value));
    assert_eq!(row("ibdata1:12M:autoextend"), []);
    let found = row("ibdata1:12M;/srv/ibdata2:12M:autoextend");
    assert!(matches!(found.as_slice(), [StartFault::Elsewhere { .. }]));
}

#[test]
fn a_cluster_stops_the_start() {
    assert_eq!(faults(&with("wsrep-on", "FALSE")), []);
    assert_eq!(faults(&with("wsrep-on", "TRUE")), [StartFault::Cluster]);
}
