//! A MariaDB that does not run until somebody releases its keys. Pure.

use super::check_result::{CheckResult, Severity};

/// What is known of the keys in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyFacts {
    /// An alarm or a reset has taken them, and holds MariaDB's starts.
    pub held: bool,
    /// They are not there, and MariaDB is stopped.
    pub waits_for_release: bool,
}

/// Warns of it: the next boot ends it, and until then MariaDB does not start.
pub fn judge(facts: KeyFacts) -> Option<CheckResult> {
    let (name, what) = match facts {
        KeyFacts { held: true, .. } => (
            "held",
            "MariaDB does not start now: an alarm of the watch or a reset has taken its keys.",
        ),
        KeyFacts {
            waits_for_release: true,
            ..
        } => (
            "released",
            "MariaDB is stopped, and does not start now: its keys are not in memory.",
        ),
        _ => return None,
    };
    let next = "Is the server where it belongs? stayput release";
    Some(CheckResult::new(name, Severity::Warning, what, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_need_a_release_are_told_with_it() {
        assert_eq!(judge(KeyFacts::default()), None);
        let held = KeyFacts {
            held: true,
            waits_for_release: true,
        };
        let stopped = KeyFacts {
            held: false,
            waits_for_release: true,
        };
        for (facts, name) in [(held, "held"), (stopped, "released")] {
            let told = judge(facts).unwrap();
            assert_eq!((told.name, told.severity), (name, Severity::Warning));
            assert!(told.next.contains("stayput release"), "{}", told.next);
        }
    }
}
