//! The owner's policy for a server that may have been stolen.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::watch_policy::{OnAlarm, WatchPolicy};

/// What a boot does that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum OnFailure {
    /// It stays at the prompt.
    Halt,
    /// It starts the system without the keys.
    Continue,
}

/// What a boot does at the limit of strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum OnStrikes {
    /// It stays at the prompt, whatever `on_failure` says.
    Halt,
    /// It destroys the pepper: from then on only a stick or the recovery code
    /// opens the server.
    Reset,
}

/// The part of the vault's policy about theft. It is used before the master key
/// has proven it, because it only decides how the server stays locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TheftPolicy {
    /// Seconds for which a place must be silent or foreign before that is acted
    /// on.
    pub wait: u16,
    /// Boots in foreign places until `on_strikes` applies.
    pub strikes: u8,
    /// Wrong PINs, passphrases and codes since the server last opened until the
    /// reset; `None` where they only slow down the next entry.
    pub attempts: Option<u16>,
    /// What a boot does that does not open.
    pub on_failure: OnFailure,
    /// What a boot does at the limit of strikes.
    pub on_strikes: OnStrikes,
    /// The watch over the running server.
    pub watch: WatchPolicy,
}

impl Default for TheftPolicy {
    /// Settings with which a false alarm does no harm.
    fn default() -> Self {
        Self {
            wait: 90,
            strikes: 3,
            attempts: None,
            on_failure: OnFailure::Halt,
            on_strikes: OnStrikes::Halt,
            watch: WatchPolicy::default(),
        }
    }
}

impl TheftPolicy {
    /// Permitted `wait`, in seconds. A switch needs up to four to start
    /// forwarding.
    pub const WAIT: core::ops::RangeInclusive<u16> = 5..=3600;
    /// Permitted `strikes`.
    pub const STRIKES: core::ops::RangeInclusive<u8> = 1..=100;
    /// Permitted `attempts`; people mistype, so not fewer than 5.
    pub const ATTEMPTS: core::ops::RangeInclusive<u16> = 5..=200;

    /// `wait` within its bounds, because the disk may hold any value.
    pub fn wait(&self) -> Duration {
        let seconds = self.wait.clamp(*Self::WAIT.start(), *Self::WAIT.end());
        Duration::from_secs(seconds.into())
    }

    /// Whether this many strikes have reached the limit.
    pub fn reached_by(&self, strikes: u8) -> bool {
        strikes >= self.strikes.max(*Self::STRIKES.start())
    }

    /// Whether the server may destroy its pepper by itself.
    pub fn resets_by_itself(&self) -> bool {
        self.on_strikes == OnStrikes::Reset
            || self.attempts.is_some()
            || self.watch.on_alarm == OnAlarm::Reset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_asks_for_no_wait_or_no_strike_gets_the_least() {
        let policy = TheftPolicy {
            wait: 0,
            strikes: 0,
            ..TheftPolicy::default()
        };
        assert_eq!(policy.wait(), Duration::from_secs(5));
        assert!(!policy.reached_by(0));
        assert!(policy.reached_by(1));
    }

    #[test]
    fn each_of_three_settings_lets_a_server_reset_itself() {
        let gentle = TheftPolicy::default();
        assert!(!gentle.resets_by_itself());
        let on_strikes = TheftPolicy {
            on_strikes: OnStrikes::Reset,
            ..gentle
        };
        let attempts = TheftPolicy {
            attempts: Some(10),
            ..gentle
        };
        let mut on_alarm = gentle;
        on_alarm.watch.on_alarm = OnAlarm::Reset;
        for policy in [on_strikes, attempts, on_alarm] {
            assert!(policy.resets_by_itself(), "{policy:?}");
        }
    }
}
