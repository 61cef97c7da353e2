//! The watch, as the other commands see it: its unit, and what it reports.

mod report;
mod unit;

use crate::theft::OnAlarm;

pub use report::{Report, ReportFile, read as report};
pub use unit::{put, remove, start_anew};

/// What an alarm of the watch leads to, in words.
pub fn meaning(on_alarm: OnAlarm) -> &'static str {
    match on_alarm {
        OnAlarm::Off => "the running server is not watched",
        OnAlarm::Alert => "carried away while it runs: it is said and logged",
        OnAlarm::Lock => "the same, and the database is stopped, its keys gone",
        OnAlarm::Reset => "the same, and the key on its disk is destroyed",
    }
}
