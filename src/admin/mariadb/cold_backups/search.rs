//! Searches the files in which Debian keeps backup jobs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::ColdBackup;
use super::matcher::{Sort, matches, scripts};

/// Larger files are no scripts and no configurations.
const BYTES_MAX: u64 = 256 << 10;
/// Most files that are read.
const FILES_MAX: usize = 2_000;
/// Most lines that are reported.
const FOUND_MAX: usize = 100;
/// Deepest nesting of directories that is searched.
const DEPTH_MAX: usize = 4;
/// How many calls from script to script are followed.
const CALLS_MAX: usize = 3;

/// Cron's tables and scripts.
const SCRIPTS: [&str; 8] = [
    "/etc/anacrontab",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.monthly",
    "/etc/cron.weekly",
    "/etc/crontab",
    "/var/spool/cron",
];

const UNITS: [&str; 3] = [
    "/etc/systemd/system",
    "/etc/systemd/user",
    "/usr/local/lib/systemd/system",
];

const CONFIGURATIONS: [&str; 27] = [
    "/etc/amanda",
    "/etc/backup-manager.conf",
    "/etc/backup.d",
    "/etc/backuppc",
    "/etc/bacula",
    "/etc/bareos",
    "/etc/borg",
    "/etc/borgmatic",
    "/etc/borgmatic.d",
    "/etc/burp",
    "/etc/dar",
    "/etc/duplicity",
    "/etc/duply",
    "/etc/kopia",
    "/etc/rdiff-backup",
    "/etc/restic",
    "/etc/resticprofile",
    "/etc/rsnapshot.conf",
    "/etc/rsnapshot.d",
    "/etc/rsyncd.conf",
    "/etc/rsyncd.d",
    "/etc/timeshift",
    "/etc/urbackup",
    "/root/.config/borgmatic",
    "/root/.config/resticprofile",
    "/root/.config/rsnapshot",
    "/root/.duply",
];

/// The backups that seem to copy the data directory `data`, those that name
/// it first. What cannot be read is passed over: nothing depends on it.
pub fn find_cold_backups(root: &Path, data: &Path) -> Vec<ColdBackup> {
    let mut search = Search {
        root,
        data,
        left: FILES_MAX,
        seen: BTreeSet::new(),
        found: BTreeSet::new(),
    };
    for (places, sort) in [
        (&CONFIGURATIONS[..], Sort::Configuration),
        (&SCRIPTS, Sort::Script),
        (&UNITS, Sort::Unit),
    ] {
        for place in places {
            search.place(Path::new(place), sort, 0);
        }
    }
    search.found.into_iter().take(FOUND_MAX).collect()
}

struct Search<'a> {
    root: &'a Path,
    data: &'a Path,
    /// Files that may still be read.
    left: usize,
    seen: BTreeSet<PathBuf>,
    found: BTreeSet<ColdBackup>,
}

impl Search<'_> {
    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Reads a file, or everything in a directory. Links to directories are
    /// not followed: systemd's lead to units that are read anyway.
    fn place(&mut self, path: &Path, sort: Sort, depth: usize) {
        let at = self.at(path);
        if !fs::symlink_metadata(&at).is_ok_and(|at| at.is_dir()) {
            return self.file(path, sort, 0);
        }
        let Ok(entries) = fs::read_dir(&at) else {
            return;
        };
        let entries = entries.take(self.left);
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort_unstable();
        for name in names.iter().filter(|_| depth < DEPTH_MAX) {
            self.place(&path.join(name), sort, depth + 1);
        }
    }

    fn file(&mut self, path: &Path, sort: Sort, calls: usize) {
        // The database's own units name its directory, and copy nothing.
        let own = sort == Sort::Unit
            && path.iter().skip(1).any(|part| {
                let part = part.to_string_lossy();
                ["mariadb", "mysql", "stayput"]
                    .iter()
                    .any(|name| part.starts_with(name))
            });
        if own || self.left == 0 || !self.seen.insert(path.to_owned()) {
            return;
        }
        let Some(text) = read(&self.at(path)) else {
            return;
        };
        self.left -= 1;
        for (line, covers, named) in matches(sort, &text, self.data) {
            self.found.insert(ColdBackup {
                covers,
                file: path.to_owned(),
                line,
                path: named,
            });
        }
        if sort == Sort::Configuration || calls == CALLS_MAX {
            return;
        }
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.starts_with('#'));
        let called: BTreeSet<PathBuf> = lines.flat_map(scripts).collect();
        for script in called {
            self.file(&script, Sort::Script, calls + 1);
        }
    }
}

fn read(path: &Path) -> Option<String> {
    // A pipe would hold this up for ever.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let at = file.metadata().ok()?;
    if !at.is_file() || at.len() > BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    // A program is no script.
    (!bytes.contains(&0)).then(|| String::from_utf8_lossy(&bytes).into_owned())
}
