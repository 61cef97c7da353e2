//! The owner's policy for a running server that seems to be carried away.

use core::ops::RangeInclusive;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// What is done about an alarm of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum OnAlarm {
    /// There is no watch.
    Off,
    /// It is told and logged; the database keeps running.
    Alert,
    /// The released keys are removed from memory, and MariaDB is stopped.
    Lock,
    /// The pepper is destroyed too: from then on only a stick or the recovery
    /// code opens the server.
    Reset,
}

/// The part of [`super::TheftPolicy`] about the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchPolicy {
    /// What is done about an alarm.
    pub on_alarm: OnAlarm,
    /// Seconds from one sample to the next.
    pub every: u16,
    /// Seconds for which the place must be foreign, or everybody gone, without
    /// a break.
    pub persist: u16,
    /// Seconds after the start of the kernel, and after a suspend, in which
    /// nothing counts.
    pub settle: u16,
}

impl Default for WatchPolicy {
    /// An alarm stops nothing. `persist` is three minutes, because putting a
    /// cable back or restarting a switch takes less. `settle` is five, because
    /// after a power cut routers and switches start more slowly than the
    /// server.
    fn default() -> Self {
        Self {
            on_alarm: OnAlarm::Alert,
            every: 60,
            persist: 180,
            settle: 300,
        }
    }
}

impl WatchPolicy {
    /// Permitted `every`, in seconds. A sample itself takes up to three.
    pub const EVERY: RangeInclusive<u16> = 5..=600;
    /// Permitted `persist`, in seconds. Moving a plug to another socket takes
    /// up to ten.
    pub const PERSIST: RangeInclusive<u16> = 15..=3600;
    /// Permitted `settle`, in seconds.
    pub const SETTLE: RangeInclusive<u16> = 30..=3600;

    /// `every` within its bounds, because the disk may hold any value.
    pub fn every(&self) -> Duration {
        within(self.every, Self::EVERY)
    }

    /// `persist` within its bounds.
    pub fn persist(&self) -> Duration {
        within(self.persist, Self::PERSIST)
    }

    /// `settle` within its bounds.
    pub fn settle(&self) -> Duration {
        within(self.settle, Self::SETTLE)
    }
}

fn within(seconds: u16, bounds: RangeInclusive<u16>) -> Duration {
    Duration::from_secs(seconds.clamp(*bounds.start(), *bounds.end()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_wants_an_alarm_at_once_gets_the_least_times() {
        let policy = WatchPolicy {
            every: 0,
            persist: 0,
            settle: 0,
            ..WatchPolicy::default()
        };
        assert_eq!(policy.every(), Duration::from_secs(5));
        assert_eq!(policy.persist(), Duration::from_secs(15));
        assert_eq!(policy.settle(), Duration::from_secs(30));
        let policy = WatchPolicy {
            every: u16::MAX,
            ..policy
        };
        assert_eq!(policy.every(), Duration::from_secs(600));
    }
}
