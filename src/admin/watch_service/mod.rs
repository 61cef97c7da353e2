//! The watch, as the other commands see it: its unit, and what it reports.

mod report;

use crate::admin::service_unit::ServiceUnit;
use crate::environment::Watched;
use crate::theft::OnAlarm;

pub use report::{Report, ReportFile, Unfinished, read as report};

/// The unit. It reads the policy and the place when it starts.
pub const UNIT: ServiceUnit = ServiceUnit {
    name: "stayput-watch.service",
    text: include_str!("../../../systemd/stayput-watch.service"),
};

/// Who is watched, in words.
pub fn who_in_words(who: Watched) -> &'static str {
    match who {
        Watched::Neighbours => "neighbours",
        Watched::KeyServers => "key servers",
    }
}

/// What an alarm of the watch leads to, in words.
pub fn meaning(on_alarm: OnAlarm) -> &'static str {
    match on_alarm {
        OnAlarm::Off => "the running server is not watched",
        OnAlarm::Alert => "carried away while it runs: it is said and logged",
        OnAlarm::Lock => "the same, and the database is stopped, its keys gone",
        OnAlarm::Reset => "the same, and the key on its disk is destroyed",
    }
}
