//! Stops MariaDB so that nobody works in this server's data any more, whatever unit,
//! person or container has started it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::admin::mariadb_service::{is_enabled, stop_units};
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd::{running, systemctl};

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::open_for::OpenFor;
use crate::admin::mariadb::process::{Process, at_work_in};

/// What cannot be stopped, and what to do.
pub type Stopped = std::result::Result<(), (String, String)>;

/// Stops MariaDB. systemd waits for a quarter of an hour for one that hangs on its disk, and
/// its command may lie on that disk, too.
pub const STOP: ChildWork<Stopped> = ChildWork::new("stop-database", |_| stop_and_see());

/// Stops MariaDB where it depends on the keys.
pub const STOP_ENCRYPTED: ChildWork<Stopped> =
    ChildWork::new("stop-encrypted-database", |_| match is_enabled() {
        true => stop_and_see(),
        false => Ok(()),
    });

/// Has a child stop MariaDB, and waits for so long at most. systemd goes on with what it
/// was told.
///
/// # Errors
/// When systemd does not stop it, and when a mariadbd goes on.
pub fn stop_within(limit: Duration, how: &ChildWork<Stopped>) -> Result<()> {
    let stopped = how.within(limit, &[]).unwrap_or_else(|no_answer| {
        let what = match no_answer {
            NoAnswer::InTime(_) => format!("It has not ended within {} s.", limit.as_secs()),
            NoAnswer::AtAll => "Nobody could be asked to stop it.".into(),
        };
        Err((
            what,
            "`systemctl status mariadb` shows what it does.".into(),
        ))
    });
    stopped.map_err(|(what, next)| Problem::failed(what, next))
}

fn stop_and_see() -> Stopped {
    stop_mariadb().map_err(|problem| (problem.what, problem.next))
}

/// Stops MariaDB's units, and sees that no mariadbd works in the data.
///
/// # Errors
/// When systemd does not stop one, and when a mariadbd goes on.
fn stop_mariadb() -> Result<()> {
    let stopped = stop_units();
    if running()
        && let Some(unit) = OpenFor::read().another_that_is_up(None)
    {
        // One of another name, that the gate has let through.
        systemctl(
            &["stop", "--", unit],
            "`systemctl status` shows what holds it up.",
        )?;
    }
    stopped?;
    // Where it is not known which data is ours, no mariadbd may run.
    let data = load_check_file().ok();
    let data = data.map(|check| DataDirectory::seen_at(Path::new(check.data_directory())));
    nobody_is(&at_work_in(data.as_ref().map(DataDirectory::real))?)
}

fn nobody_is(at_work: &[Process]) -> Result<()> {
    let Some(first) = at_work.first() else {
        return Ok(());
    };
    let mut who = format!("process {}", first.pid);
    for also in &at_work[1..] {
        let _ = write!(who, ", {}", also.pid);
    }
    let next = match first.in_container {
        true => "It runs in a container: stop that.".into(),
        false => format!("To stop it: kill {}", first.pid),
    };
    Err(Problem::failed(
        format!("A mariadbd goes on working in this server's data ({who})."),
        next,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_working_is_named() {
        let process = |pid, in_container| Process {
            pid,
            program: "/usr/sbin/mariadbd".into(),
            directory: None,
            uid: None,
            in_container,
            known: true,
        };
        assert!(nobody_is(&[]).is_ok());
        let problem = nobody_is(&[process(7, false), process(8, false)]).unwrap_err();
        assert!(problem.what.contains("(process 7, 8)"), "{problem}");
        assert_eq!(problem.next, "To stop it: kill 7");
        let problem = nobody_is(&[process(7, true)]).unwrap_err();
        assert!(problem.next.contains("container"), "{problem}");
    }
}
