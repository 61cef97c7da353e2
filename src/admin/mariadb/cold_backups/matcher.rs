//! Finds paths in scripts and configurations of many formats, line by line. Pure.

use std::path::{Path, PathBuf};

use super::Covers;

/// What a file is, by where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A backup program's configuration: a path in it is to be backed up.
    Configuration,
    /// A script or a table of jobs: it may do anything.
    Script,
    /// A unit of systemd: only what it runs counts.
    Unit,
}

/// A line that matches, from 1, and the path.
pub type Match = (usize, Covers, PathBuf);

/// Programs that copy files. A script with none of them makes no backup.
const COPIERS: [&str; 22] = [
    "backup",
    "bacula",
    "borg",
    "borgmatic",
    "bup",
    "cp",
    "cpio",
    "dar",
    "duplicity",
    "duply",
    "fsarchiver",
    "kopia",
    "lvcreate",
    "rclone",
    "rdiff-backup",
    "restic",
    "rsnapshot",
    "rsync",
    "scp",
    "snapshot",
    "tar",
    "zip",
];

/// Files in the data directory that are no data.
const NO_DATA: [&str; 3] = [".sock", ".pid", ".err"];

/// The lines of a file that seem to back up the directory `data`.
pub fn matches(sort: Sort, text: &str, data: &Path) -> Vec<Match> {
    let any_copier = sort == Sort::Configuration || copies(text);
    if !any_copier {
        return Vec::new();
    }
    let mut excluding = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        let lower = line.to_lowercase();
        let has_path = paths(line).next().is_some();
        // The head of a list of what is left out, and the end of that list.
        if lower.contains("exclude") && !has_path {
            excluding = true;
            continue;
        }
        let another_list = !has_path && (line.ends_with([':', '{']) || line.contains("clude"));
        if line.contains('}') || another_list {
            excluding = false;
        }
        let skipped = excluding || (sort == Sort::Unit && !line.starts_with("Exec"));
        if let Some((covers, path)) = (!skipped).then(|| judge(sort, line, data)).flatten() {
            found.push((at + 1, covers, path));
        }
    }
    found
}

fn judge(sort: Sort, line: &str, data: &Path) -> Option<(Covers, PathBuf)> {
    let named: Vec<Named> = paths(line).filter(|named| named.is_data()).collect();
    let (left_out, taken): (Vec<&Named>, Vec<&Named>) =
        named.iter().partition(|named| named.left_out);
    if taken.iter().any(|named| named.path.starts_with(data)) {
        return Some((Covers::Data, data.to_owned()));
    }
    if left_out.iter().any(|named| data.starts_with(&named.path)) {
        return None;
    }
    if sort != Sort::Configuration && !copies(line) {
        return None;
    }
    let above = taken.iter().find(|named| data.starts_with(&named.path))?;
    // `tar -C /var/lib -c mysql`: the rest of the path stands by itself.
    let rest = data.strip_prefix(&above.path).ok()?;
    let words = line.split(|c: char| c.is_whitespace() || "'\"".contains(c));
    let mut words = words.map(|word| Path::new(word.trim_end_matches(['/', ';'])));
    match words.any(|word| word == rest) {
        true => Some((Covers::Data, data.to_owned())),
        false => Some((Covers::System, above.path.clone())),
    }
}

fn copies(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.any(|word| COPIERS.contains(&&*word.to_lowercase()))
}

/// An absolute path in a line.
struct Named {
    path: PathBuf,
    /// Behind a word like `--exclude`.
    left_out: bool,
}

impl Named {
    fn is_data(&self) -> bool {
        let name = self.path.to_string_lossy();
        !NO_DATA.iter().any(|ending| name.ends_with(ending))
    }
}

/// The absolute paths of this computer in a line: not what stands behind
/// `host:`, nor what is the middle of a word.
fn paths(line: &str) -> impl Iterator<Item = Named> {
    let starts = line.match_indices('/').filter(|(at, _)| {
        let before = line[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || "'\"=,([{<>|;&`!".contains(c))
    });
    starts.map(|(at, _)| {
        let rest = &line[at..];
        let end = rest.find(|c: char| c.is_whitespace() || "'\",;:)]}{<>|&`$?*\\".contains(c));
        let path = &rest[..end.unwrap_or(rest.len())];
        // Path drops double and trailing slashes, and single dots.
        let path: PathBuf = Path::new(path).components().collect();
        let before =
            line[..at].trim_end_matches(|c: char| c.is_whitespace() || "'\"=!".contains(c));
        let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
        Named {
            path,
            left_out: word.to_lowercase().contains("exclude") && !word.contains('/'),
        }
    })
}

/// The scripts that a line may run: absolute paths that no package brings.
pub fn scripts(line: &str) -> impl Iterator<Item = PathBuf> {
    const PACKAGES: [&str; 9] = [
        "/bin", "/dev", "/lib", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/lib",
    ];
    paths(line).map(|named| named.path).filter(|path| {
        let packaged = PACKAGES.iter().any(|above| path.starts_with(above));
        path.starts_with("/usr/local") || !packaged
    })
}
