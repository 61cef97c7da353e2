//! A clock that nobody has set: on a board without a battery, and without a network. Nothing
//! is decided by it, but what is dated then stays dated so.

use std::env::current_exe;
use std::fs::metadata;
use std::time::UNIX_EPOCH;

use crate::admin::timestamp::rfc3339;
use crate::sys::clock;

/// 2025-01-01T00:00:00Z: before that there was no stayput.
const FIRST: u64 = 1_735_689_600;

/// What is said of it; `None` where the clock may be right.
pub fn warning() -> Option<String> {
    let program = current_exe().and_then(metadata);
    let built = program.and_then(|program| program.modified()).ok();
    let built = built.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    judge(clock::now(), built.map_or(0, |at| at.as_secs()))
}

/// So many seconds a file may be dated too late: FAT keeps local time, and whoever copied the
/// program had a clock of its own.
const SLACK: u64 = 86_400;

/// It is later than when the program was `built`, in seconds since 1970. Pure.
fn judge(now: u64, built: u64) -> Option<String> {
    (now < built.saturating_sub(SLACK).max(FIRST)).then(|| {
        format!(
            "The clock of this server is wrong: it says {}. What is dated now stays dated so: \
             when sticks and\nthe code were made and tried, the log, and `stayput check` then calls \
             them old. Set the clock first:\ntimedatectl set-time \"YYYY-MM-DD HH:MM:SS\"",
            rfc3339(now)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_told_of() {
        let built = 1_795_000_000;
        let told = judge(300, built).unwrap();
        assert!(told.contains("it says 1970-01-01"), "{told}");
        assert!(told.lines().all(|line| line.len() < 120), "{told}");
        // systemd begins with the day on which it was built itself.
        assert!(judge(built - SLACK - 1, built).is_some());
        assert!(judge(300, 0).is_some());
        assert_eq!(judge(built - SLACK, built), None);
        assert_eq!(judge(FIRST, 0), None);
    }
}
