//! The settings that stayput gives MariaDB, in one place: `enable` writes
//! them, the gate demands them.

use std::fmt::Write;

/// Named so that it is read last, after every file of a package.
pub const SETTINGS_FILE: &str = "/etc/mysql/mariadb.conf.d/zz-stayput.cnf";

/// Where MariaDB reads its keys.
pub const KEY_FILE: &str = "/run/stayput/mariadb.keys";

/// One option of mariadbd.
pub struct Setting {
    /// As option files write it, with underscores.
    pub name: &'static str,
    /// As it is written.
    pub value: &'static str,
    /// As mariadbd prints it; None when the gate leaves the choice to the
    /// owner, because another value writes nothing in clear and harms nothing.
    pub demanded: Option<&'static str>,
}

const fn demanded(name: &'static str, value: &'static str, shown: &'static str) -> Setting {
    Setting {
        name,
        value,
        demanded: Some(shown),
    }
}

const fn advised(name: &'static str, value: &'static str) -> Setting {
    Setting {
        name,
        value,
        demanded: None,
    }
}

/// In the order in which they are written. The algorithm is pinned because
/// pages written with the one and read with the other look corrupt, and
/// MariaDB then advises to drop the table. Whether there is a binary log is the
/// owner's choice; if there is one, it is encrypted.
pub const SETTINGS: [Setting; 13] = [
    advised("plugin_load_add", "file_key_management"),
    advised("loose_file_key_management", "FORCE_PLUS_PERMANENT"),
    demanded("file_key_management_filename", KEY_FILE, KEY_FILE),
    demanded(
        "file_key_management_encryption_algorithm",
        "AES_CTR",
        "aes_ctr",
    ),
    demanded("innodb_encrypt_tables", "FORCE", "FORCE"),
    demanded("innodb_encrypt_log", "ON", "TRUE"),
    demanded("innodb_encrypt_temporary_tables", "ON", "TRUE"),
    demanded("aria_encrypt_tables", "ON", "TRUE"),
    demanded("encrypt_binlog", "ON", "TRUE"),
    demanded("encrypt_tmp_files", "ON", "TRUE"),
    demanded("encrypt_tmp_disk_tables", "ON", "TRUE"),
    advised("innodb_encryption_threads", "4"),
    advised("innodb_encryption_rotate_key_age", "1"),
];

/// The text of [`SETTINGS_FILE`].
pub fn settings_file() -> String {
    let mut text = String::from(
        "# Written by `stayput mariadb enable`. MariaDB encrypts with the keys that\n\
         # stayput releases where this server belongs. `stayput mariadb gate` looks at\n\
         # these settings before every start and refuses when they were changed.\n\
         [mariadbd]\n",
    );
    for Setting { name, value, .. } in &SETTINGS {
        writeln!(text, "{name} = {value}").expect("a String takes any text");
    }
    text
}
