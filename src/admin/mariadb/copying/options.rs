//! The options of a private mariadbd besides the owner's configuration: every path
//! is its own, nothing writes rows elsewhere, nothing talks to others.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::admin::mariadb::settings::{KEY_FILE, SETTINGS};

use super::NewTables;

/// The paths of one private server.
#[derive(Clone, Debug)]
pub struct ServerPaths {
    /// Tells the servers apart in the names of files.
    pub name: &'static str,
    /// The data directory.
    pub data: PathBuf,
    /// For temporary files. Those of the new server are encrypted.
    pub temporary: PathBuf,
    /// In memory: socket, process id.
    pub room: PathBuf,
}

impl ServerPaths {
    /// The socket at which the server answers.
    pub fn socket(&self) -> PathBuf {
        self.room.join(format!("{}.sock", self.name))
    }

    fn in_room(&self, end: &str) -> PathBuf {
        self.room.join(format!("{}.{end}", self.name))
    }

    /// The directories in which every path of the server must be.
    fn inside(&self) -> [&Path; 3] {
        [&self.data, &self.temporary, &self.room]
    }

    /// Every option of mariadbd that takes a path of its own.
    pub fn arguments(&self) -> Vec<OsString> {
        let data = &self.data;
        let temporary = &self.temporary;
        [
            ("datadir", data),
            ("innodb-data-home-dir", data),
            ("innodb-log-group-home-dir", data),
            ("innodb-undo-directory", data),
            ("aria-log-dir-path", data),
            ("tmpdir", temporary),
            ("innodb-tmpdir", temporary),
            ("slave-load-tmpdir", temporary),
            ("secure-file-priv", temporary),
            ("socket", &self.socket()),
            ("pid-file", &self.in_room("pid")),
            ("general-log-file", &self.in_room("general")),
            ("slow-query-log-file", &self.in_room("slow")),
            ("log-bin-index", &self.in_room("bin-index")),
            ("relay-log", &self.in_room("relay")),
            ("relay-log-index", &self.in_room("relay-index")),
            ("relay-log-info-file", &self.in_room("relay-info")),
            ("master-info-file", &self.in_room("master-info")),
            ("loose-wsrep-data-home-dir", data),
            ("loose-server-audit-file-path", &self.in_room("audit")),
            ("loose-sql-error-log-filename", &self.in_room("errors")),
            ("loose-mroonga-log-file", &self.in_room("mroonga")),
            ("loose-rocksdb-datadir", &data.join("#rocksdb")),
            ("loose-rocksdb-wal-dir", &data.join("#rocksdb")),
        ]
        .into_iter()
        .map(|(name, path)| {
            let mut option = OsString::from(format!("--{name}="));
            option.push(path);
            option
        })
        .chain(COMMON.into_iter().map(OsString::from))
        .collect()
    }

    /// The variables (name and value) that lead out of the server's own
    /// directories.
    pub fn strays<'a>(
        &self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<String> {
        variables
            .into_iter()
            .filter(|(name, value)| self.leads_out(&name.replace('-', "_"), value))
            .map(|(name, _)| name.replace('-', "_"))
            .collect()
    }

    fn leads_out(&self, name: &str, value: &str) -> bool {
        if READ_ONLY.contains(&name) || name.starts_with("ssl_") {
            return false;
        }
        let file_path = name.ends_with("data_file_path");
        let parts = match name {
            "tmpdir" => value.split(':').collect(),
            // name:size;name:size
            _ if file_path => value.split([':', ';']).collect(),
            _ => vec![value],
        };
        parts.iter().any(|part| {
            let path = Path::new(part);
            let up = path.components().any(|part| part == Component::ParentDir);
            match path.is_absolute() {
                true => up || !self.inside().iter().any(|place| path.starts_with(place)),
                // Relative to the data directory.
                false => up && part.starts_with("..") || file_path && part.contains('/'),
            }
        })
    }
}

/// Paths from which a server only reads what came with its package, and what
/// is not a path.
const READ_ONLY: [&str; 8] = [
    "basedir",
    "character_sets_dir",
    "file_key_management_filename",
    "file_key_management_filekey",
    "ft_stopword_file",
    "lc_messages_dir",
    "plugin_dir",
    "system_time_zone",
];

/// What both servers are told. An unknown name after `loose` is passed over.
const COMMON: [&str; 52] = [
    // Nobody else, and no other server.
    "--skip-networking",
    "--skip-grant-tables",
    "--skip-slave-start",
    "--skip-name-resolve",
    "--loose-skip-ssl",
    "--loose-wsrep-on=0",
    "--loose-wsrep-provider=none",
    "--loose-feedback=OFF",
    // Nothing runs by itself.
    "--event-scheduler=DISABLED",
    "--init-file=",
    "--init-connect=",
    "--init-slave=",
    // Nothing is written down.
    "--skip-log-bin",
    "--skip-log-error",
    "--general-log=0",
    "--slow-query-log=0",
    "--log-output=NONE",
    "--log-warnings=1",
    "--loose-server-audit=OFF",
    "--loose-server-audit-logging=OFF",
    "--loose-sql-error-log=OFF",
    "--loose-mroonga-query-log-file=",
    "--loose-innodb-print-all-deadlocks=OFF",
    "--loose-innodb-status-output=OFF",
    "--loose-innodb-status-output-locks=OFF",
    "--skip-core-file",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--innodb-buffer-pool-filename=ib_buffer_pool",
    "--loose-log-ddl-recovery=ddl_recovery.log",
    "--log-tc=tc.log",
    // Nobody is cut off.
    "--net-read-timeout=86400",
    "--net-write-timeout=86400",
    "--wait-timeout=86400",
    "--connect-timeout=600",
    "--max-statement-time=0",
    "--idle-transaction-timeout=0",
    "--idle-write-transaction-timeout=0",
    "--idle-readonly-transaction-timeout=0",
    "--max-connections=64",
    "--extra-port=0",
    "--thread-handling=one-thread-per-connection",
    "--max-allowed-packet=1G",
    // Nothing takes memory for no use.
    "--performance-schema=OFF",
    "--query-cache-type=0",
    "--query-cache-size=0",
    "--loose-memlock=OFF",
    "--large-pages=OFF",
    // A stored row is a row, whatever is thought of it today.
    "--loose-innodb-read-only-compressed=OFF",
    "--loose-enforce-storage-engine=",
    "--loose-innodb-force-primary-key=OFF",
    "--old-mode=",
];

/// [`NewTables::OnTheFirstKey`].
const FIRST_KEY: &str = "--innodb-default-encryption-key-id=1";

/// What an encrypted server is told: the settings that encrypt, with its own key file.
pub fn encrypting(key_file: &Path, new_tables: NewTables) -> Vec<OsString> {
    let on_first = new_tables == NewTables::OnTheFirstKey;
    SETTINGS
        .iter()
        .map(|setting| {
            let mut option = OsString::from(format!("--{}=", setting.name));
            match setting.value {
                KEY_FILE => option.push(key_file),
                value => option.push(value),
            }
            option
        })
        .chain(on_first.then(|| FIRST_KEY.into()))
        .collect()
}

/// What a clear server is told. It stays clear, whatever the option files say by now: a
/// redo log that was encrypted here would keep it from starting later.
pub const CLEAR: [&str; 8] = [
    FIRST_KEY,
    "--innodb-encrypt-log=OFF",
    "--innodb-encrypt-tables=OFF",
    "--innodb-encrypt-temporary-tables=OFF",
    "--aria-encrypt-tables=OFF",
    "--encrypt-binlog=OFF",
    "--encrypt-tmp-files=OFF",
    "--encrypt-tmp-disk-tables=OFF",
];

/// Leaves every page as it is.
pub const NO_THREADS: &str = "--innodb-encryption-threads=0";

/// A server that is thrown away when the power goes needs no care for that:
/// it is stopped cleanly and its filesystem is synced before anybody counts
/// on it.
pub const CARELESS: [&str; 5] = [
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-strict-mode=OFF",
    "--innodb-io-capacity=2000",
    "--innodb-io-capacity-max=4000",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> ServerPaths {
        ServerPaths {
            name: "new",
            data: "/srv/making/data".into(),
            temporary: "/srv/making/tmp".into(),
            room: "/run/stayput-enable".into(),
        }
    }

    #[test]
    fn a_server_on_the_originals_files_is_seen() {
        let strays = |name: &str, value: &str| !paths().strays([(name, value)]).is_empty();
        for (name, value) in [
            ("innodb_data_home_dir", "/var/lib/mysql"),
            ("aria-log-dir-path", "/var/lib/mysql/"),
            (
                "innodb_data_file_path",
                "/var/lib/mysql/ibdata1:12M:autoextend",
            ),
            ("innodb_data_file_path", "ibdata1:12M;old/ibdata2:12M"),
            ("tmpdir", "/srv/making/tmp:/tmp"),
            ("general_log_file", "../clinic.log"),
            ("innodb_undo_directory", "/srv/making/data/../../x"),
            ("some_plugins_log", "/var/log/some.log"),
        ] {
            assert!(strays(name, value), "{name} {value}");
        }
        for (name, value) in [
            ("datadir", "/srv/making/data/"),
            ("innodb_data_file_path", "ibdata1:12M:autoextend"),
            ("tmpdir", "/srv/making/tmp"),
            ("pid_file", "/run/stayput-enable/new.pid"),
            ("plugin_dir", "/usr/lib/mysql/plugin/"),
            ("ssl_cert", "/etc/mysql/cert.pem"),
            ("version_comment", "Debian 12"),
            ("init_connect", ""),
        ] {
            assert!(!strays(name, value), "{name} {value}");
        }
    }

    #[test]
    fn clear_server_has_everything_switched_off_that_encrypts() {
        let encrypts = |name: &&str| name.contains("encrypt_");
        for name in SETTINGS.iter().map(|setting| setting.name).filter(encrypts) {
            let off = format!("--{}=OFF", name.replace('_', "-"));
            assert!(CLEAR.contains(&&*off), "{name}");
        }
    }

    #[test]
    fn the_new_server_encrypts_with_its_own_key_file() {
        let key_file = Path::new("/run/x/keys");
        let options = encrypting(key_file, NewTables::OnTheFirstKey);
        let has = |text: &str| options.iter().any(|option| option == text);
        assert!(has("--file_key_management_filename=/run/x/keys"));
        assert!(has("--innodb_encrypt_tables=FORCE"));
        assert!(has(FIRST_KEY) && CLEAR.contains(&FIRST_KEY));
        let rotated = encrypting(key_file, NewTables::AsTheSettingsSay);
        assert!(!rotated.iter().any(|option| option == FIRST_KEY));
        assert!(
            !options
                .iter()
                .any(|option| option.to_string_lossy().contains("/run/stayput/"))
        );
    }
}
