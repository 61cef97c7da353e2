//! What the owner wants done when the server may have been stolen.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::watch_policy::{OnAlarm, WatchPolicy};

/// What becomes of a boot that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum OnFailure {
    /// It stays in the prompt.
    Halt,
    /// The system starts, without the keys.
    Continue,
}

/// What follows when the limit of strikes is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum OnStrikes {
    /// It stays in the prompt, whatever `on_failure` says.
    Halt,
    /// The pepper is destroyed: from then on only a stick or the recovery code
    /// opens.
    Reset,
}

/// Stands in the vault's policy. Until the master key has proven it, it is
/// used as it stands: it only decides how the server stays locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TheftPolicy {
    /// Seconds for which a place must be silent or foreign before the server
    /// draws a conclusion.
    pub wait: u16,
    /// Boots in foreign places until `on_strikes`.
    pub strikes: u8,
    /// Wrong PINs, passphrases and codes since the server last opened until the
    /// reset; `None`: they only slow down.
    pub attempts: Option<u16>,
    /// What becomes of a boot that does not open.
    pub on_failure: OnFailure,
    /// What follows at `strikes` of them.
    pub on_strikes: OnStrikes,
    /// What the watch over the running server does.
    pub watch: WatchPolicy,
}

impl Default for TheftPolicy {
    /// Nothing that a false alarm could make worse.
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
    /// Seconds that `wait` may be. A switch needs up to four seconds.
    pub const WAIT: core::ops::RangeInclusive<u16> = 5..=3600;
    /// What `strikes` may be.
    pub const STRIKES: core::ops::RangeInclusive<u8> = 1..=100;
    /// What `attempts` may be: a person mistypes.
    pub const ATTEMPTS: core::ops::RangeInclusive<u16> = 5..=200;

    /// Within bounds: a disk may say anything.
    pub fn wait(&self) -> Duration {
        let seconds = self.wait.clamp(*Self::WAIT.start(), *Self::WAIT.end());
        Duration::from_secs(seconds.into())
    }

    /// Whether so many strikes are as many as are allowed.
    pub fn reached_by(&self, strikes: u8) -> bool {
        strikes >= self.strikes.max(*Self::STRIKES.start())
    }

    /// Whether the server may come to destroy its pepper by itself.
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
}
