//! The part of `stayput policy` that is about the watch.

use core::ops::RangeInclusive;

use crate::theft::{OnAlarm, WatchPolicy};

#[derive(clap::Args, Clone, Debug)]
pub struct WatchOptions {
    /// What follows when the running server seems to be carried away
    #[arg(long, value_name = "WHAT")]
    watch: Option<OnAlarm>,
    /// Seconds from one look of the watch to the next
    #[arg(long, value_name = "S", value_parser = seconds(WatchPolicy::EVERY))]
    watch_every: Option<u16>,
    /// Seconds for which the watch must see a foreign place, or nobody, before
    /// it acts
    #[arg(long, value_name = "S", value_parser = seconds(WatchPolicy::PERSIST))]
    watch_persist: Option<u16>,
    /// Seconds after a start in which the watch counts nothing
    #[arg(long, value_name = "S", value_parser = seconds(WatchPolicy::SETTLE))]
    watch_settle: Option<u16>,
}

fn seconds(bounds: RangeInclusive<u16>) -> clap::builder::RangedI64ValueParser<u16> {
    let bounds = i64::from(*bounds.start())..=i64::from(*bounds.end());
    clap::value_parser!(u16).range(bounds)
}

impl WatchOptions {
    /// Whether more than an alert is asked for.
    pub fn needs_somebody(&self) -> bool {
        matches!(self.watch, Some(OnAlarm::Lock | OnAlarm::Reset))
    }

    /// The policy with what was asked for in place of what was there.
    pub fn apply(&self, before: WatchPolicy) -> WatchPolicy {
        WatchPolicy {
            on_alarm: self.watch.unwrap_or(before.on_alarm),
            every: self.watch_every.unwrap_or(before.every),
            persist: self.watch_persist.unwrap_or(before.persist),
            settle: self.watch_settle.unwrap_or(before.settle),
        }
    }
}
