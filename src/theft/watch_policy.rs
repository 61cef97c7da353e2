//! What the owner wants done when a running server seems to be carried away.

use core::ops::RangeInclusive;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// What follows an alarm of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum OnAlarm {
    /// Nobody watches.
    Off,
    /// It is said and logged; the database goes on.
    Alert,
    /// The released keys leave the memory filesystem, and MariaDB is stopped.
    Lock,
    /// The pepper is destroyed as well: from then on only a stick opens.
    Reset,
}

/// Stands in the vault's policy, within [`super::TheftPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchPolicy {
    /// What follows an alarm.
    pub on_alarm: OnAlarm,
    /// Seconds from one look to the next.
    pub every: u16,
    /// Seconds for which the place must be foreign, or everybody gone, without
    /// a break.
    pub persist: u16,
    /// Seconds after the start of the kernel, and after a suspend, in which
    /// nothing counts.
    pub settle: u16,
}

impl Default for WatchPolicy {
    /// An alarm costs nothing. Three minutes: a cable that is put back and a
    /// switch that starts again take less. Five: after a power cut routers and
    /// switches start more slowly than the server.
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
    /// Seconds that `every` may be. A look itself takes up to three.
    pub const EVERY: RangeInclusive<u16> = 5..=600;
    /// Seconds that `persist` may be. A plug that is moved to the next socket
    /// takes up to ten.
    pub const PERSIST: RangeInclusive<u16> = 15..=3600;
    /// Seconds that `settle` may be.
    pub const SETTLE: RangeInclusive<u16> = 30..=3600;

    /// Within bounds, as the following: a disk may say anything.
    pub fn every(&self) -> Duration {
        within(self.every, Self::EVERY)
    }

    /// How long an alarm must hold, within [`Self::PERSIST`].
    pub fn persist(&self) -> Duration {
        within(self.persist, Self::PERSIST)
    }

    /// How long nothing counts after a start, within [`Self::SETTLE`].
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
