//! The files in the data directory beside the tables, and what becomes of them.
//! MariaDB makes its own files again; everything else is somebody's: dumps,
//! exports, logs, keys. Unknown files are kept, never destroyed.

mod binary_logs;
mod known;
mod list;
mod moving;
mod report;

use std::path::{Path, PathBuf};

use crate::admin::mariadb::check_file::{MARK, ROLE};

pub use binary_logs::{BinlogDecision, Replication, decide};
pub use known::{Known, QUESTIONS};
pub use list::list_entries;
pub use moving::{carry_over, kept_place, move_kept};
pub use report::report;

/// One file of the data directory, or a directory that is no database's, with
/// everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the data directory.
    pub path: PathBuf,
    /// What it is to the filesystem.
    pub kind: Kind,
    /// Of a directory: of all files in it.
    pub bytes: u64,
    /// Names that the file has.
    pub links: u64,
}

/// What an entry is to the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Link,
    Socket,
    /// Pipes and devices.
    Special,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// MariaDB makes it again, from the copied rows or by itself.
    Rebuilt,
    /// Belongs to the server and holds no row: copied into the new directory.
    CarriedOver,
    /// The server's own binary logs: for point in time recovery, and for
    /// replicas.
    BinaryLogs,
    /// A table's rows that lie outside of the data directory: they are
    /// copied, but those there are neither moved nor destroyed.
    Elsewhere,
    /// Everything else: moved to a named place.
    Kept,
}

/// An entry and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassifiedEntry {
    /// What becomes of it.
    pub class: Class,
    /// What was found.
    pub entry: Entry,
}

/// The most that a file may have to be carried over: certificates and marks
/// are small.
const CARRIED_MAX: u64 = 1 << 20;

/// Files of the server that hold no row. `*.flag` is the package's mark of
/// its version; MySQL's installation makes the eight certificates and keys,
/// and its auto.cnf holds nothing but the server's id.
const CARRIED: [&str; 11] = [
    "auto.cnf",
    "ca-key.pem",
    "ca.pem",
    "client-cert.pem",
    "client-key.pem",
    "mariadb_upgrade_info",
    "mysql_upgrade_info",
    "private_key.pem",
    "public_key.pem",
    "server-cert.pem",
    "server-key.pem",
];

/// Classifies a listing by what the server knows.
pub fn classify(listing: Vec<Entry>, known: &Known) -> Vec<ClassifiedEntry> {
    let found = listing.into_iter().map(|entry| ClassifiedEntry {
        class: class(&entry, known),
        entry,
    });
    found.collect()
}

fn class(entry: &Entry, known: &Known) -> Class {
    let names: Option<Vec<&str>> = entry.path.iter().map(|name| name.to_str()).collect();
    match names.as_deref() {
        Some([name]) => at_the_top(name, entry, known),
        Some([database, name]) => in_a_database(database, name, entry, known),
        _ => Class::Kept,
    }
}

fn at_the_top(name: &str, entry: &Entry, known: &Known) -> Class {
    let own = is_servers(name, entry.bytes, known);
    match entry.kind {
        Kind::Socket => Class::Rebuilt,
        // A whole engine's store: it is copied table by table.
        Kind::Directory if name == "#rocksdb" && known.has_engine("ROCKSDB") => Class::Rebuilt,
        Kind::Link if own || known.has_database(name) => Class::Elsewhere,
        Kind::File if own => Class::Rebuilt,
        Kind::File if known.is_binary_log(name) => Class::BinaryLogs,
        Kind::File if is_carried(name, known) && entry.links == 1 && entry.bytes <= CARRIED_MAX => {
            Class::CarriedOver
        }
        _ => Class::Kept,
    }
}

/// What a server makes by itself at the top of its data directory.
fn is_servers(name: &str, bytes: u64, known: &Known) -> bool {
    let numbered = |head: &str, digits: std::ops::RangeInclusive<usize>| {
        name.strip_prefix(head).is_some_and(|rest| {
            digits.contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    match name {
        "aria_log_control"
        | "ddl_log.log"
        | "ddl_recovery.log"
        | "ddl_recovery-backup.log"
        | "tc.log" => true,
        // Of an encrypted one: the check values of its keys, and its part in a restore.
        MARK | ROLE => true,
        // With something in it, it names the servers that this one follows.
        "multi-master.info" => bytes == 0,
        _ => {
            known.is_made_at_start(name)
                || numbered("aria_log.", 8..=8)
                || numbered("ib_logfile", 1..=3)
                || numbered("undo", 3..=3)
        }
    }
}

fn is_carried(name: &str, known: &Known) -> bool {
    let flag = name
        .strip_prefix("debian-")
        .and_then(|rest| rest.strip_suffix(".flag"));
    let version = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    CARRIED.contains(&name) || flag.is_some_and(version) || known.is_certificate(name)
}

fn in_a_database(database: &str, name: &str, entry: &Entry, known: &Known) -> Class {
    // Statements with their values, which no dump takes along.
    let log = database == "mysql" && ["general_log.CSV", "slow_log.CSV"].contains(&name);
    let own = name == "db.opt" || is_tables(database, name, known);
    match entry.kind {
        Kind::File if log && entry.bytes > 0 => Class::Kept,
        // A text that says where the table's file is.
        Kind::File if own && name.ends_with(".isl") => Class::Elsewhere,
        Kind::File if own => Class::Rebuilt,
        Kind::Link if own => Class::Elsewhere,
        _ => Class::Kept,
    }
}

/// Whether a file belongs to a table, view or trigger that the server has.
fn is_tables(database: &str, name: &str, known: &Known) -> bool {
    let Some((stem, ending)) = name.rsplit_once('.') else {
        return false;
    };
    if ending == "ibd" && stem.starts_with("FTS_") && known.has_innodb(database, stem) {
        return true;
    }
    if ending == "TRN" {
        return known.has_trigger(database, stem);
    }
    let partition = stem.find("#P#").or_else(|| stem.find("#p#"));
    let table = &stem[..partition.unwrap_or(stem.len())];
    let Some(engine) = known.engine(database, table) else {
        return false;
    };
    match ending {
        "frm" | "par" | "TRG" => partition.is_none(),
        "ibd" | "isl" => engine == "InnoDB",
        "MYD" | "MYI" => engine == "MyISAM",
        "MRG" => engine == "MRG_MyISAM",
        "MAD" | "MAI" => engine == "Aria",
        "CSV" | "CSM" => engine == "CSV",
        "ARZ" => engine == "ARCHIVE",
        _ => false,
    }
}

/// The paths of one class, in the listing's order.
pub fn of_class(found: &[ClassifiedEntry], class: Class) -> impl Iterator<Item = &Path> {
    let found = found.iter().filter(move |found| found.class == class);
    found.map(|found| &*found.entry.path)
}

#[cfg(test)]
mod tests;
