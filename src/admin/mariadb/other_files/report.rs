//! Tells the person of the files beside the tables: names, sizes and what each
//! probably is, never its contents.

use std::path::Path;

use super::{Class, ClassifiedEntry, Entry, Kind};
use crate::admin::mariadb::conversion::Form;
use crate::printable::Printable;

/// Names that are listed, at most; the largest first.
const SHOWN: usize = 30;

/// Lines for the person. `kept_at` is where [`Class::Kept`] is moved to; `form` is that of
/// the database beside which they lie.
pub fn report(found: &[ClassifiedEntry], kept_at: &Path, form: Form) -> Vec<String> {
    let of = |class| {
        let found = found.iter().filter(move |found| found.class == class);
        let mut entries: Vec<&Entry> = found.map(|found| &found.entry).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.bytes));
        entries
    };
    let mut lines = Vec::new();
    let kept = of(Class::Kept);
    if !kept.is_empty() {
        lines.push(format!(
            "These files in the data directory are not made again by MariaDB. They are moved, as \
             they are, to {}:",
            kept_at.display()
        ));
        listed(&mut lines, &kept, |entry| {
            format!("{}: {}", amount(entry), describe(entry, form))
        });
        lines.push(format!(
            "{} Take what is needed to a safe place; then destroy them: `shred -u FILE`.",
            match form {
                Form::Clear => "They stay readable for whoever gets the disk.",
                Form::Encrypted =>
                    "What MariaDB itself has encrypted in them, nobody reads without its keys; the \
                     rest stays readable for whoever gets the disk.",
            }
        ));
    }
    let elsewhere = of(Class::Elsewhere);
    if !elsewhere.is_empty() {
        lines.push(format!(
            "The rows of these lie outside of the data directory. There they stay {}, and are not \
             destroyed:",
            match form {
                Form::Clear => "in clear",
                Form::Encrypted => "as they are, encrypted or not",
            }
        ));
        listed(&mut lines, &elsewhere, |entry| match entry.kind {
            Kind::Link => "a link; `readlink` shows where it leads".into(),
            _ => "a text that says where the table's file is".into(),
        });
    }
    let carried = of(Class::CarriedOver);
    if !carried.is_empty() {
        let names: Vec<String> = carried.iter().map(|entry| shown(&entry.path)).collect();
        lines.push(format!("Taken over as they are: {}.", names.join(", ")));
    }
    lines
}

fn listed(lines: &mut Vec<String>, entries: &[&Entry], what: impl Fn(&Entry) -> String) {
    let shown_entries = entries.iter().take(SHOWN);
    lines.extend(shown_entries.map(|entry| format!("  {}, {}", shown(&entry.path), what(entry))));
    if let Some(more) = entries.get(SHOWN..).filter(|more| !more.is_empty()) {
        let bytes = more.iter().map(|entry| entry.bytes).sum();
        lines.push(format!("  and {} more, {}", more.len(), size(bytes)));
    }
}

/// A name comes from a disk: no control character of it reaches the terminal.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    Printable(&text).to_string()
}

fn amount(entry: &Entry) -> String {
    match entry.kind {
        Kind::File => size(entry.bytes),
        Kind::Directory => format!("a directory with {}", size(entry.bytes)),
        Kind::Link => "a link".into(),
        Kind::Socket | Kind::Special => "no file".into(),
    }
}

/// A number of bytes for people, in powers of 1000.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// What it probably is, by its name. What MariaDB writes itself has the database's form;
/// what others write is clear beside an encrypted one, too.
fn describe(entry: &Entry, form: Form) -> &'static str {
    let own = |clear, encrypted| match form {
        Form::Clear => clear,
        Form::Encrypted => encrypted,
    };
    let name = entry.path.file_name().unwrap_or_default();
    let name = name.to_string_lossy().to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let numbered = name
        .rsplit_once('.')
        .is_some_and(|(_, end)| end.len() >= 6 && end.bytes().all(|byte| byte.is_ascii_digit()));
    if entry.kind == Kind::Link {
        return "it leads out of the data directory";
    }
    if entry.path.starts_with("mysql") && ends(&["_log.csv"]) {
        return "a log of statements with their values";
    }
    if has(&["relay"]) && (numbered || ends(&[".index", ".info"])) {
        return own(
            "a log that a replica has read: rows in clear",
            "a log that a replica has read: rows, probably encrypted",
        );
    }
    if numbered {
        return own(
            "probably a binary log: rows in clear",
            "probably a binary log: rows, probably encrypted",
        );
    }
    if ["master.info", "multi-master.info"].contains(&&*name) || name.starts_with("master-") {
        return "which server this one follows, and the password for it";
    }
    if name == "galera.cache" {
        return "a cluster's last changes: rows in clear";
    }
    if name.starts_with("#sql") || ends(&[".ibd", ".myd", ".mad", ".arz", ".tmd"]) {
        return own(
            "rows in clear of a table that the server does not know",
            "rows of a table that the server does not know, probably encrypted",
        );
    }
    if ends(&[".frm", ".par", ".trg", ".trn", ".myi", ".mai", ".cfg"]) {
        return "part of a table that the server does not know";
    }
    if name == "core" || name.starts_with("core.") {
        return "a crash's memory: rows, and keys that were in use";
    }
    if ends(&[".sql", ".dump"]) || has(&[".sql.", "dump"]) {
        return "probably a dump: rows in clear";
    }
    if ends(&[
        ".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods", ".json", ".xml",
    ]) {
        return "probably an export: rows in clear";
    }
    if ends(&[".log", ".err"]) || has(&[".log.", "audit"]) {
        return "a log; of queries or an audit: values in clear";
    }
    if ends(&[".pem", ".key", ".crt", ".p12"]) {
        return "a key or a certificate; MariaDB's settings may name it";
    }
    if ends(&[
        ".gz", ".xz", ".bz2", ".zst", ".zip", ".tar", ".tgz", ".xb", ".7z", ".bak",
    ]) {
        return "probably a backup";
    }
    "not MariaDB's; it may hold rows in clear"
}
