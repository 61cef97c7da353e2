//! Decides when wrong entries lead to a reset.

use super::policy::TheftPolicy;

/// Whether the number of `wrong` PINs, passphrases and codes since the server
/// last opened has reached the policy's limit. Always `false` where there is no
/// limit.
pub fn attempts_used_up(policy: &TheftPolicy, wrong: u32) -> bool {
    policy
        .attempts
        .is_some_and(|allowed| wrong >= u32::from(allowed.max(*TheftPolicy::ATTEMPTS.start())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(attempts: Option<u16>) -> TheftPolicy {
        TheftPolicy {
            attempts,
            ..TheftPolicy::default()
        }
    }

    #[test]
    fn wrong_entries_only_slow_down_unless_the_owner_wants_more() {
        assert!(!attempts_used_up(&allowing(None), u32::MAX));
        let seven = allowing(Some(7));
        assert!(!attempts_used_up(&seven, 6));
        assert!(attempts_used_up(&seven, 7));
        assert!(attempts_used_up(&seven, 8));
    }

    #[test]
    fn a_disk_that_allows_one_attempt_is_not_believed() {
        assert!(!attempts_used_up(&allowing(Some(0)), 4));
        assert!(attempts_used_up(&allowing(Some(0)), 5));
    }
}
