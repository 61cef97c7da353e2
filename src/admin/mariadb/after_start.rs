//! `stayput mariadb started`: MariaDB's unit has started a process. Is it the
//! one that the gate let through?
//!
//! The gate forecasts a start from what systemd has loaded; an option that it does
//! not know may still lead elsewhere. So the process itself is checked before
//! anything else, and stopped at once if it does not fit: it would accept rows
//! that the enrolled database never sees.

use std::env;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::admin::key_release;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::systemctl;

use crate::admin::mariadb::check_file::read_check_file;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::launch::{UNIT, own_unit};
use crate::admin::mariadb::process::{NotServing, main_process, process_serves};
use crate::admin::mariadb::service_user::ServiceUser;

/// Checks the unit's process, then removes the keys if the policy says so.
///
/// # Errors
/// When the process does not fit; it was stopped then.
pub fn started(unit: Option<&str>) -> Result<()> {
    let unit = unit.map(str::to_owned).or_else(own_unit);
    // In either case: whatever was started has read the keys.
    let checked = check_process(unit.as_deref().unwrap_or(UNIT));
    key_release::remove_if_read()?;
    checked
}

fn check_process(unit: &str) -> Result<()> {
    let check = read_check_file()?;
    let data = DataDirectory::seen_at(Path::new(check.data_directory()));
    let user = ServiceUser::find()?;
    let Some(pid) = told().or_else(|| main_process(unit)) else {
        return Ok(());
    };
    let (what, harmful) = match process_serves(pid, data.real()) {
        Ok(process) if process.uid == user.uid => return Ok(()),
        Ok(process) => (format!("it runs as user {}", process.uid), true),
        Err(why) => (why.to_string(), does_harm(&why)),
    };
    if !harmful {
        eprintln!("stayput: warning: MariaDB (process {pid}) cannot be judged: {what}");
        return Ok(());
    }
    // Printed first: stopping the unit ends this process too.
    eprintln!("stayput: MariaDB does not serve the enrolled database, and is stopped: {what}.");
    if let Ok(pid) = i32::try_from(pid) {
        // systemd stops it anyway; this is sooner.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    systemctl(
        &["stop", "--no-block", unit],
        "Stop it: `systemctl stop mariadb`.",
    )?;
    Err(Problem::refused(
        "MariaDB was stopped.",
        "`systemctl cat mariadb` shows what starts it; remove what was added, then start it again.",
    ))
}

/// The main process, from the variable that systemd sets for the unit's commands.
fn told() -> Option<u32> {
    env::var("MAINPID").ok()?.parse().ok()
}

/// Whether the process is certainly another server. One that could not be
/// examined is not.
fn does_harm(why: &NotServing) -> bool {
    match why {
        NotServing::Program(_) | NotServing::Elsewhere(_) => true,
        NotServing::NoProcess | NotServing::Hidden | NotServing::Closed(_) => false,
    }
}
