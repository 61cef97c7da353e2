//! When the prompt opens, and what is found about the place. Pure.

use core::time::Duration;

use crate::theft::{Finding, TheftPolicy};

/// From here on a person may wonder: one line says what is going on.
pub const HINT_AFTER: Duration = Duration::from_millis(800);
/// Network cards and switches need up to four seconds to agree; a server at
/// home is through by then, and no prompt flashes by.
pub const PROMPT_AFTER: Duration = Duration::from_secs(5);

/// How far the stage has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub since_start: Duration,
    /// The policy's: for so long a place must be silent or foreign. After a
    /// power cut a router starts more slowly than the server.
    pub wait: Duration,
    /// For how long as many neighbours and parts of the machine as are needed
    /// have answered; `None` while they have not.
    pub enough_for: Option<Duration>,
    /// Enough neighbours answer, and too few parts of the machine are there.
    pub machine_missing: bool,
    /// The vault was read, and no place can open it.
    pub hopeless: bool,
    /// Answers have come in that were not tried yet.
    pub to_try: bool,
    /// Everybody who is enrolled has answered.
    pub all_answered: bool,
}

/// What the consoles show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    Nothing,
    Hint,
    Prompt,
}

impl Progress {
    /// There is nothing to wait for but the disk.
    pub fn without_vault(since_start: Duration) -> Self {
        Self {
            since_start,
            wait: TheftPolicy::default().wait(),
            enough_for: None,
            machine_missing: false,
            hopeless: false,
            to_try: false,
            all_answered: false,
        }
    }

    /// Nothing is left to try and nobody left to hear from: a person may be
    /// asked at once. It is no finding yet.
    fn is_stuck(&self) -> bool {
        self.hopeless || (self.all_answered && !self.to_try)
    }

    pub fn show(&self) -> Show {
        if self.is_stuck() || self.since_start >= PROMPT_AFTER {
            Show::Prompt
        } else if self.since_start >= HINT_AFTER {
            Show::Hint
        } else {
            Show::Nothing
        }
    }

    /// What is certain about the place; a server that opens is not asked.
    pub fn finding(&self) -> Option<Finding> {
        if self.hopeless {
            return Some(Finding::Damaged);
        }
        if self.to_try {
            return None;
        }
        match self.enough_for {
            Some(since) => (since >= self.wait).then_some(Finding::Foreign),
            None if self.since_start < self.wait => None,
            None if self.machine_missing => Some(Finding::ChangedMachine),
            None => Some(Finding::Absent),
        }
    }

    /// When [`Progress::show`] or [`Progress::finding`] may change with
    /// nothing but time, counted from the start.
    pub fn next_change(&self) -> Option<Duration> {
        let foreign = self
            .enough_for
            .map(|since| (self.since_start + self.wait).saturating_sub(since));
        [HINT_AFTER, PROMPT_AFTER, self.wait]
            .into_iter()
            .chain(foreign)
            .filter(|at| self.since_start < *at)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(90);

    /// Nobody has answered, at this time.
    fn at(millis: u64) -> Progress {
        Progress {
            since_start: Duration::from_millis(millis),
            wait: WAIT,
            enough_for: None,
            machine_missing: false,
            hopeless: false,
            to_try: false,
            all_answered: false,
        }
    }

    fn enough_for(seconds: u64, since_start: u64) -> Progress {
        Progress {
            enough_for: Some(Duration::from_secs(seconds)),
            ..at(since_start * 1000)
        }
    }

    #[test]
    fn the_prompt_comes_at_once_when_nothing_can_change_and_late_when_it_can() {
        let all = |progress: Progress| Progress {
            all_answered: true,
            ..progress
        };
        let trying = |progress: Progress| Progress {
            to_try: true,
            ..progress
        };
        let hopeless = |progress: Progress| Progress {
            hopeless: true,
            ..progress
        };
        let table = [
            // At home, on time: nothing is shown.
            (trying(all(at(90))), Show::Nothing),
            (at(90), Show::Nothing),
            // Combinations are left, however slow the processor.
            (trying(all(at(900))), Show::Hint),
            (trying(all(at(4999))), Show::Hint),
            (trying(all(at(5000))), Show::Prompt),
            // Stolen, others answer: at once.
            (all(at(90)), Show::Prompt),
            // A bare table, or a switch that starts: wait for it.
            (at(900), Show::Hint),
            (at(5000), Show::Prompt),
            // A damaged vault: a person is needed now.
            (hopeless(at(10)), Show::Prompt),
        ];
        for (progress, shown) in table {
            assert_eq!(progress.show(), shown, "{progress:?}");
        }
    }

    #[test]
    fn a_place_is_foreign_only_after_answering_wrongly_for_the_whole_wait() {
        assert_eq!(enough_for(89, 89).finding(), None);
        assert_eq!(enough_for(90, 90).finding(), Some(Finding::Foreign));
        // A router that came late has its own wait.
        assert_eq!(enough_for(89, 500).finding(), None);
        let trying = Progress {
            to_try: true,
            ..enough_for(99, 99)
        };
        assert_eq!(trying.finding(), None);
    }

    #[test]
    fn silence_is_absence_and_a_missing_part_is_no_foreign_place() {
        assert_eq!(at(89_999).finding(), None);
        assert_eq!(at(90_000).finding(), Some(Finding::Absent));
        let repaired = Progress {
            machine_missing: true,
            ..at(90_000)
        };
        assert_eq!(repaired.finding(), Some(Finding::ChangedMachine));
        let damaged = Progress {
            hopeless: true,
            ..at(10)
        };
        assert_eq!(damaged.finding(), Some(Finding::Damaged));
    }

    #[test]
    fn nothing_changes_between_the_times_that_are_waited_for() {
        for late in [None, Some(3), Some(40)] {
            let seen = |now: Duration| Progress {
                enough_for: late.and_then(|late| now.checked_sub(Duration::from_secs(late))),
                ..at(now.as_millis() as u64)
            };
            let mut now = Duration::from_secs(late.unwrap_or(0));
            while let Some(next) = seen(now).next_change() {
                let before = seen(next - Duration::from_millis(1));
                assert_eq!(before.show(), seen(now).show());
                assert_eq!(before.finding(), seen(now).finding());
                now = next;
            }
            assert_eq!(now, WAIT + Duration::from_secs(late.unwrap_or(0)));
        }
    }
}
