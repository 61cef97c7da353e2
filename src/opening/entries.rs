//! Counts wrong PINs, passphrases and codes: how long the next entry has to
//! wait, and when they lead to a reset.

use core::time::Duration;

use crate::theft::{TheftPolicy, attempts_used_up};

/// The pause after this many wrong entries: 1, 2, 4 ... 60 seconds.
fn pause_after(wrong: u32) -> Duration {
    match wrong {
        0 => Duration::ZERO,
        1..=6 => Duration::from_secs(1 << (wrong - 1)),
        _ => Duration::from_secs(60),
    }
}

/// Wrong entries since the server last opened, in earlier boots too. Times are
/// counted from the stage's start.
#[derive(Default)]
pub struct WrongEntries {
    count: u32,
    /// When the next entry is accepted.
    next: Duration,
}

impl WrongEntries {
    /// Takes over the number of wrong entries in the vault's log: those of
    /// earlier boots slow this one down too.
    pub fn remember(&mut self, earlier: u32, now: Duration) {
        if earlier > self.count {
            self.count = earlier;
            self.next = now + pause_after(earlier);
        }
    }

    /// Counts one more; returns the seconds until the next entry is accepted.
    pub fn add(&mut self, now: Duration) -> u64 {
        self.count = self.count.saturating_add(1);
        let pause = pause_after(self.count);
        self.next = now + pause;
        pause.as_secs()
    }

    /// Seconds until an entry is accepted, rounded up; `None` when it is
    /// accepted now.
    pub fn wait(&self, now: Duration) -> Option<u64> {
        let left = self.next.saturating_sub(now);
        (!left.is_zero()).then(|| left.as_secs() + 1)
    }

    /// Whether the policy's limit is reached.
    pub fn are_used_up(&self, policy: &TheftPolicy) -> bool {
        attempts_used_up(policy, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_secs(1000);

    #[test]
    fn wrong_entries_slow_down_to_one_a_minute() {
        let mut entries = WrongEntries::default();
        assert_eq!(entries.wait(NOON), None);
        assert_eq!(pause_after(0), Duration::ZERO);
        let pauses: Vec<u64> = (0..9).map(|_| entries.add(NOON)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(entries.wait(NOON + Duration::from_secs(59)), Some(2));
        assert_eq!(entries.wait(NOON + Duration::from_secs(60)), None);
    }

    #[test]
    fn the_limit_counts_entries_of_the_boot_before() {
        let policy = TheftPolicy {
            attempts: Some(7),
            ..TheftPolicy::default()
        };
        let mut entries = WrongEntries::default();
        entries.remember(5, NOON);
        entries.add(NOON);
        assert!(!entries.are_used_up(&policy));
        entries.add(NOON);
        assert!(entries.are_used_up(&policy));
    }

    #[test]
    fn entries_of_the_boot_before_slow_this_one_down() {
        let mut entries = WrongEntries::default();
        entries.remember(3, NOON);
        assert_eq!(entries.wait(NOON), Some(5));
        // The log holds what this boot has counted as well.
        let later = NOON + Duration::from_secs(30);
        entries.add(later);
        entries.remember(4, later + Duration::from_secs(8));
        assert_eq!(entries.wait(later + Duration::from_secs(8)), None);
    }
}
