//! When the prompt opens, and when it is certain that the server stays
//! locked. Pure.

use core::time::Duration;

/// From here on a person may wonder: one line says what is going on.
pub const HINT_AFTER: Duration = Duration::from_millis(800);
/// Network cards and switches need up to four seconds to agree; a server at
/// home is through by then, and no prompt flashes by.
pub const PROMPT_AFTER: Duration = Duration::from_secs(5);
/// After a power cut a router starts more slowly than the server. Only a place
/// that is silent for longer goes into the log.
pub const CERTAIN_AFTER: Duration = Duration::from_secs(90);

/// How far the stage has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub since_start: Duration,
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
    /// There is nothing left to try and nobody left to hear from.
    fn is_judged(&self) -> bool {
        self.hopeless || (self.all_answered && !self.to_try)
    }

    pub fn show(&self) -> Show {
        if self.is_judged() || self.since_start >= PROMPT_AFTER {
            Show::Prompt
        } else if self.since_start >= HINT_AFTER {
            Show::Hint
        } else {
            Show::Nothing
        }
    }

    /// Whether it may be written down that the server stayed locked.
    pub fn is_certain(&self) -> bool {
        self.is_judged() || (self.since_start >= CERTAIN_AFTER && !self.to_try)
    }

    /// When [`Progress::show`] or [`Progress::is_certain`] may change with
    /// nothing but time, counted from the start.
    pub fn next_change(&self) -> Option<Duration> {
        [HINT_AFTER, PROMPT_AFTER, CERTAIN_AFTER]
            .into_iter()
            .find(|at| self.since_start < *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(millis: u64, hopeless: bool, to_try: bool, all_answered: bool) -> Progress {
        Progress {
            since_start: Duration::from_millis(millis),
            hopeless,
            to_try,
            all_answered,
        }
    }

    #[test]
    fn the_prompt_comes_at_once_when_nothing_can_change_and_late_when_it_can() {
        let (yes, no) = (true, false);
        // (ms, hopeless, to try, all answered) -> shown, certain
        let table = [
            // At home, on time: nothing is shown.
            ((90, no, yes, yes), Show::Nothing, no),
            ((90, no, no, no), Show::Nothing, no),
            // Combinations are left: no verdict, however slow the processor.
            ((900, no, yes, yes), Show::Hint, no),
            ((4999, no, yes, yes), Show::Hint, no),
            ((5000, no, yes, yes), Show::Prompt, no),
            ((99_000, no, yes, yes), Show::Prompt, no),
            // Stolen, others answer: at once.
            ((90, no, no, yes), Show::Prompt, yes),
            // A bare table, or a switch that starts: wait for it.
            ((900, no, no, no), Show::Hint, no),
            ((5000, no, no, no), Show::Prompt, no),
            ((89_999, no, no, no), Show::Prompt, no),
            ((90_000, no, no, no), Show::Prompt, yes),
            // A damaged vault: a person is needed now.
            ((10, yes, no, no), Show::Prompt, yes),
        ];
        for ((millis, hopeless, to_try, all), shown, certain) in table {
            let progress = progress(millis, hopeless, to_try, all);
            assert_eq!(progress.show(), shown, "{progress:?}");
            assert_eq!(progress.is_certain(), certain, "{progress:?}");
        }
    }

    #[test]
    fn nothing_changes_between_the_times_that_are_waited_for() {
        let mut at = Duration::ZERO;
        while let Some(next) = progress(at.as_millis() as u64, false, false, false).next_change() {
            let before = next - Duration::from_millis(1);
            let (now, late) = (at.as_millis() as u64, before.as_millis() as u64);
            let (now, late) = (
                progress(now, false, false, false),
                progress(late, false, false, false),
            );
            assert_eq!(now.show(), late.show());
            assert_eq!(now.is_certain(), late.is_certain());
            at = next;
        }
        assert_eq!(at, CERTAIN_AFTER);
    }
}
