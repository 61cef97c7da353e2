//! The settings that stayput gives MariaDB, in one place: `enable` writes
//! them, the gate demands them.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Named so that it is read last, after every file of a package.
pub const SETTINGS_FILE: &str = "/etc/mysql/mariadb.conf.d/zz-stayput.cnf";

/// Where MariaDB reads its keys.
pub const KEY_FILE: &str = "/run/stayput/mariadb.keys";

/// The option that names the key file.
const KEY_FILE_OPTION: &str = "file_key_management_filename";

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
    demanded(KEY_FILE_OPTION, KEY_FILE, KEY_FILE),
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

/// The option that names the key of new tables.
pub const NEW_TABLES: &str = "innodb_default_encryption_key_id";

/// The text of [`SETTINGS_FILE`] where the keys are released into memory. New tables get the
/// key `new_tables`; `None` leaves that to MariaDB.
pub fn settings_file(new_tables: Option<u32>) -> String {
    text(
        "# Written by `stayput mariadb enable`. MariaDB encrypts with the keys that\n\
         # stayput releases where this server belongs. `stayput mariadb gate` looks at\n\
         # these settings before every start and refuses when they were changed.\n",
        KEY_FILE,
        new_tables,
    )
}

/// The text of [`SETTINGS_FILE`] where the keys stand in a file of the owner's.
/// `key_file` is one that an option file takes as it is; `new_tables` is as in
/// [`settings_file`].
pub fn settings_file_for(key_file: &Path, new_tables: Option<u32>) -> String {
    text(
        "# Written by `stayput mariadb disable`. MariaDB encrypts with the keys in the file\n\
         # named below, and needs no stayput. Without that file the database is lost.\n",
        &key_file.to_string_lossy(),
        new_tables,
    )
}

fn text(head: &str, key_file: &str, new_tables: Option<u32>) -> String {
    let mut text = format!("{head}[mariadbd]\n");
    for Setting { name, value, .. } in &SETTINGS {
        let value = match *name {
            KEY_FILE_OPTION => key_file,
            _ => value,
        };
        writeln!(text, "{name} = {value}").expect("a String takes any text");
    }
    if let Some(id) = new_tables {
        writeln!(text, "{NEW_TABLES} = {id}").expect("a String takes any text");
    }
    text
}

/// Where MariaDB takes its keys from, by [`SETTINGS_FILE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// There is no such file.
    Nowhere,
    /// From memory, where stayput releases them; also where that cannot be told.
    Released,
    /// From a file of the owner's, on this server's disk.
    File(PathBuf),
}

/// Where MariaDB takes its keys from.
pub fn key_source() -> KeySource {
    match fs::read_to_string(SETTINGS_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => KeySource::Nowhere,
        Err(_) => KeySource::Released,
        Ok(text) => named_in(&text),
    }
}

/// The file of the owner's that MariaDB takes its keys from, if it does.
pub fn own_key_file() -> Option<PathBuf> {
    match key_source() {
        KeySource::File(path) => Some(path),
        KeySource::Nowhere | KeySource::Released => None,
    }
}

fn named_in(text: &str) -> KeySource {
    let mut options = text.lines().filter_map(|line| line.split_once(" = "));
    match options.find(|(name, _)| *name == KEY_FILE_OPTION) {
        Some((_, path)) if path != KEY_FILE && path.starts_with('/') => {
            KeySource::File(path.into())
        }
        _ => KeySource::Released,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_tell_where_the_keys_come_from() {
        let own = Path::new("/etc/mysql/keys/mariadb.keys");
        assert_eq!(
            named_in(&settings_file_for(own, None)),
            KeySource::File(own.into())
        );
        assert_eq!(named_in(&settings_file(Some(201))), KeySource::Released);
        // In doubt the database depends on the keys from here.
        let damaged = settings_file_for(own, None).replace(" = /etc", " = etc");
        assert_eq!(named_in(&damaged), KeySource::Released);
        assert_eq!(named_in(""), KeySource::Released);
    }

    #[test]
    fn new_tables_get_the_key_that_tables_were_moved_to() {
        let line = "\ninnodb_default_encryption_key_id = 201\n";
        let own = Path::new("/etc/mysql/keys/mariadb.keys");
        for with in [settings_file(Some(201)), settings_file_for(own, Some(201))] {
            assert!(with.ends_with(line), "{with}");
        }
        assert!(!settings_file(None).contains(NEW_TABLES));
    }
}
