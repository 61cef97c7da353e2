//! Starts of MariaDB that an alarm or a reset holds back until somebody releases the keys.
//! Pure.

use super::check_result::{CheckResult, Severity};

/// Warns of it: the next boot ends it, and until then MariaDB does not start.
pub fn judge(held: bool) -> Option<CheckResult> {
    held.then(|| {
        CheckResult::new(
            "held",
            Severity::Warning,
            "MariaDB does not start now: an alarm of the watch or a reset has taken its keys.",
            "Is the server where it belongs? stayput release",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_starts_are_told_with_what_ends_them() {
        assert_eq!(judge(false), None);
        let told = judge(true).unwrap();
        assert_eq!(told.severity, Severity::Warning);
        assert!(told.next.contains("stayput release"), "{}", told.next);
    }
}
