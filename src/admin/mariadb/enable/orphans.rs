//! Private servers of a run that was killed. They were told to end with it, and need
//! a while for that, in which their files would be in the way.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::admin::mariadb::process::given_paths_in;
use crate::admin::problem::{Problem, Result};

use super::copy_mounts::CopyMounts;

/// A process whose disk hangs does not end, whatever it is sent.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Ends every mariadbd that makes a copy, which is thrown away, and waits until it is
/// gone.
///
/// # Errors
/// When one does not end.
pub fn end() -> Result<()> {
    let began = Instant::now();
    loop {
        let left = given_paths_in(&CopyMounts::data())?;
        let Some(first) = left.first() else {
            return Ok(());
        };
        if began.elapsed() > GONE_WITHIN {
            return Err(Problem::failed(
                format!(
                    "The server of an earlier run (process {}) does not end.",
                    first.pid
                ),
                "Look at the disk (`df`, `dmesg`), then run the command again.",
            ));
        }
        for server in left {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(server.pid.cast_signed()), Signal::SIGKILL);
        }
        sleep(Duration::from_millis(50));
    }
}
