//! Which mariadbd runs on which files, told by the processes themselves and not by
//! units.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::systemd::{SYSTEMCTL, running};

use crate::admin::mariadb::launch::UNIT;

const PROC: &str = "/proc";

/// mariadbd under its names, and the scripts that start it again when it ends.
const SERVERS: [&str; 4] = ["mariadbd", "mysqld", "mariadbd-debug", "mysqld-debug"];
const SCRIPTS: [&str; 2] = ["mariadbd-safe", "mysqld_safe"];

/// A running mariadbd keeps these open, whatever its program is called. It
/// holds a lock on Aria's; InnoDB's log always has this name.
const ARIA_FILE: &str = "aria_log_control";
const INNODB_FILES: [&str; 2] = ["ib_logfile0", "ibdata1"];

/// Longest text of one process that is read, in bytes.
const TEXT_MAX: u64 = 4096;

/// A process that is a mariadbd or may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The program's path, or its name where the path is not known.
    pub program: String,
    /// Its working directory; `None` where that is not known.
    pub directory: Option<PathBuf>,
    /// Whom it runs as; `None` where that cannot be told.
    pub uid: Option<u32>,
    /// It has a process namespace of its own, as in a container.
    pub in_container: bool,
    /// False where it cannot be examined; it may be a mariadbd then.
    pub known: bool,
}

/// The unit's own mariadbd, seen to work in the directory that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServingProcess {
    /// Its number.
    pub pid: u32,
    /// Whom it runs as.
    pub uid: u32,
}

/// Why a process is not the server of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotServing {
    /// The unit has no process.
    NoProcess,
    /// It cannot be examined.
    Hidden,
    /// Its program is another one.
    Program(String),
    /// It works in another directory.
    Elsewhere(PathBuf),
    /// It does not hold this file of the directory open.
    Closed(&'static str),
}

/// Every mariadbd of the machine but the unit's: started by hand, by another unit,
/// by mysqld_safe, or in a container. Processes that cannot be examined are
/// included with `known` false.
///
/// # Errors
/// When the list of processes cannot be read.
pub fn of_others() -> Result<Vec<Process>> {
    let unit = main_process(UNIT);
    let others = all_servers(Path::new(PROC))?.into_iter();
    Ok(others.filter(|server| Some(server.pid) != unit).collect())
}

/// The process of MariaDB's unit, if it is a mariadbd that works in `real`
/// itself (the directory, not one of the same name) and has its files open.
///
/// # Errors
/// What is different.
pub fn serves_from(real: &Path) -> Result<ServingProcess> {
    let pid = main_process(UNIT);
    let found = pid
        .ok_or(NotServing::NoProcess)
        .and_then(|pid| process_serves(pid, real));
    found.map_err(|why| {
        Problem::failed(
            format!("MariaDB does not serve from {}: {why}.", real.display()),
            "`systemctl status mariadb` and `journalctl -u mariadb -n 30` tell more.",
        )
    })
}

/// This process, if it is a mariadbd that works in `real` itself and has its
/// files open.
///
/// # Errors
/// [`NotServing`].
pub fn process_serves(pid: u32, real: &Path) -> std::result::Result<ServingProcess, NotServing> {
    serves(Path::new(PROC), pid, real)
}

/// The main process of a unit; None while it has none.
pub fn main_process(unit: &str) -> Option<u32> {
    if !running() {
        return None;
    }
    let mut show = Command::new(SYSTEMCTL);
    let text = program::run(
        show.args(["show", "--property=MainPID", "--value", unit]),
        "",
    )
    .ok()?;
    text.trim().parse().ok().filter(|pid| *pid != 0)
}

/// The process of a mariadbd that works in this directory.
pub fn working_in(directory: &Path) -> Option<u32> {
    let servers = servers(Path::new(PROC)).ok()?;
    let mut pids = servers.iter().map(|server| server.pid);
    pids.find(|pid| works_in(*pid, directory))
}

/// Every mariadbd that works in this directory, or may: one that cannot be examined is
/// known by its name alone. `None` is any directory.
///
/// # Errors
/// When the list of processes cannot be read.
pub fn at_work_in(directory: Option<&Path>) -> Result<Vec<Process>> {
    at_work(Path::new(PROC), directory)
}

fn at_work(proc: &Path, directory: Option<&Path>) -> Result<Vec<Process>> {
    let wanted = directory.and_then(place);
    let mut servers = all_servers(proc)?;
    servers.retain(|server| {
        let works = place(&proc.join(server.pid.to_string()).join("cwd"));
        server.known && (works.is_none() || wanted.is_none() || works == wanted)
    });
    Ok(servers)
}

/// Every mariadbd on this machine that was given a path in `room`, whether it works
/// there already or is only starting.
///
/// # Errors
/// When the list of processes cannot be read.
pub fn given_paths_in(room: &Path) -> Result<Vec<Process>> {
    given(Path::new(PROC), room)
}

fn given(proc: &Path, room: &Path) -> Result<Vec<Process>> {
    let mut servers = all_servers(proc)?;
    servers.retain(|server| {
        let arguments = text(&proc.join(server.pid.to_string()).join("cmdline"));
        let arguments = arguments.unwrap_or_default();
        let mut values = arguments
            .split('\0')
            .filter_map(|word| word.split_once('='));
        !server.in_container && values.any(|(_, value)| Path::new(value).starts_with(room))
    });
    Ok(servers)
}

/// Whether a process works in this directory, whatever it is called there.
pub fn works_in(pid: u32, directory: &Path) -> bool {
    let works = place(&Path::new(PROC).join(pid.to_string()).join("cwd"));
    works.is_some() && works == place(directory)
}

/// The identity of a directory, by whatever name it is reached: device and inode.
fn place(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).map(|at| (at.dev(), at.ino())).ok()
}

fn all_servers(proc: &Path) -> Result<Vec<Process>> {
    servers(proc).map_err(|error| {
        Problem::failed(
            format!("The list of processes cannot be read: {error}."),
            "Is /proc mounted? `ls /proc` tells.",
        )
    })
}

fn servers(proc: &Path) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(proc)? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        found.extend(server(proc, pid));
    }
    found.sort_by_key(|process| process.pid);
    Ok(found)
}

/// One process, if it is a mariadbd or cannot be looked at.
fn server(proc: &Path, pid: u32) -> Option<Process> {
    let folder = proc.join(pid.to_string());
    let name = text(&folder.join("comm")).unwrap_or_default();
    let program = fs::read_link(folder.join("exe"));
    let (path, known) = match &program {
        Ok(path) => (Some(bare(path)), true),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => (None, false),
        // It has just ended, or is a kernel thread.
        Err(_) => return None,
    };
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = text(&folder.join("cmdline")).unwrap_or_default();
    let first = arguments.split('\0').next().unwrap_or_default();
    // comm holds 15 signs, which all of these names fit into.
    let names = [
        path.as_deref().map(base).unwrap_or_default(),
        base(first),
        name.trim_end().to_owned(),
    ];
    let is_server = names
        .iter()
        .any(|name| SERVERS.contains(&name.as_str()) || SCRIPTS.contains(&name.as_str()))
        || open_files(&folder).any(|file| file.ends_with(ARIA_FILE));
    (is_server || !known).then(|| Process {
        pid,
        program: path.unwrap_or_else(|| name.trim_end().to_owned()),
        directory: fs::read_link(folder.join("cwd")).ok(),
        uid: fs::metadata(&folder).map(|at| at.uid()).ok(),
        in_container: fs::read_link(folder.join("ns/pid")).ok()
            != fs::read_link(proc.join("self/ns/pid")).ok(),
        known: known || is_server,
    })
}

fn serves(proc: &Path, pid: u32, real: &Path) -> std::result::Result<ServingProcess, NotServing> {
    let folder = proc.join(pid.to_string());
    let program = fs::read_link(folder.join("exe")).map_err(|error| match error.kind() {
        ErrorKind::NotFound => NotServing::NoProcess,
        _ => NotServing::Hidden,
    })?;
    let program = bare(&program);
    if !SERVERS
        .iter()
        .any(|name| program.ends_with(&format!("/{name}")))
    {
        return Err(NotServing::Program(program));
    }
    let works_in = folder.join("cwd");
    match (place(&works_in), place(real)) {
        (None, _) => return Err(NotServing::Hidden),
        (works, wanted) if works != wanted => {
            let directory = fs::read_link(&works_in).unwrap_or_default();
            return Err(NotServing::Elsewhere(directory));
        }
        _ => {}
    }
    let open: Vec<(u64, u64)> = descriptors(&folder)
        .filter_map(|descriptor| place(&descriptor))
        .collect();
    let holds = |name: &str| place(&real.join(name)).is_some_and(|file| open.contains(&file));
    if !holds(ARIA_FILE) {
        return Err(NotServing::Closed(ARIA_FILE));
    }
    if !INNODB_FILES.iter().any(|name| holds(name)) {
        return Err(NotServing::Closed(INNODB_FILES[0]));
    }
    let uid = fs::metadata(&folder)
        .map_err(|_| NotServing::NoProcess)?
        .uid();
    Ok(ServingProcess { pid, uid })
}

fn descriptors(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder.join("fd")).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

fn open_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    descriptors(folder).filter_map(|descriptor| fs::read_link(descriptor).ok())
}

/// A program's path without the kernel's mark of a program that was replaced.
fn bare(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned()
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(TEXT_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

impl fmt::Display for NotServing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess => write!(f, "its unit has no process"),
            Self::Hidden => write!(f, "its process cannot be looked at"),
            Self::Program(program) => write!(f, "its unit runs {program}"),
            Self::Elsewhere(directory) => write!(f, "it works in {}", directory.display()),
            Self::Closed(file) => write!(f, "it does not have {file} open there"),
        }
    }
}

#[cfg(test)]
mod tests;
