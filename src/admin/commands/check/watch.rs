//! The watch over the running server: does it run where the policy wants one? Pure.

use super::check_result::{CheckResult, Severity};

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchFacts {
    /// The policy wants the running server watched, and there is somebody to ask.
    pub is_wanted: bool,
    /// systemd runs this machine.
    pub has_systemd: bool,
    /// stayput-watch.service is as it was installed, and enabled.
    pub unit_in_place: bool,
    /// One in /etc is in force instead of a package's.
    pub hides_a_packages: bool,
    /// It runs, or is about to.
    pub is_running: bool,
    /// It waits for the keys, without which this system was started.
    pub waits_for_keys: bool,
}

/// No result where nobody wants a watch. Pure.
pub fn judge(facts: WatchFacts) -> Option<CheckResult> {
    const NAME: &str = "watch";
    let WatchFacts {
        is_wanted,
        has_systemd,
        unit_in_place,
        hides_a_packages,
        is_running,
        waits_for_keys,
    } = facts;
    if !is_wanted || !has_systemd {
        return None;
    }
    let wrong = |what: &str, next: &str| CheckResult::new(NAME, Severity::Wrong, what, next);
    Some(if !unit_in_place {
        wrong(
            "Nobody watches the running server: stayput-watch.service is missing, changed or \
             disabled.",
            match hides_a_packages {
                true => {
                    "/etc/systemd/system/stayput-watch.service is in force instead of the \
                     package's: rm it where nobody needs it, then stayput install"
                }
                false => "stayput install; or, where nobody shall: stayput policy --watch off",
            },
        )
    } else if !is_running && !waits_for_keys {
        wrong(
            "Nobody watches the running server: stayput-watch.service does not run.",
            "`systemctl status stayput-watch` tells why; `systemctl restart stayput-watch` \
             starts it.",
        )
    } else {
        CheckResult::fine(NAME, "The running server is watched.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_or_disabled_watch_fails_where_one_is_wanted() {
        let good = WatchFacts {
            is_wanted: true,
            has_systemd: true,
            unit_in_place: true,
            hides_a_packages: false,
            is_running: true,
            waits_for_keys: false,
        };
        let severity = |facts| judge(facts).map(|found| found.severity);
        assert_eq!(severity(good), Some(Severity::Fine));
        let dead = WatchFacts {
            is_running: false,
            ..good
        };
        assert_eq!(severity(dead), Some(Severity::Wrong));
        let disabled = WatchFacts {
            unit_in_place: false,
            ..good
        };
        assert_eq!(severity(disabled), Some(Severity::Wrong));
        let hidden = WatchFacts {
            hides_a_packages: true,
            ..disabled
        };
        let next = judge(hidden).unwrap().next;
        assert!(next.starts_with("/etc/systemd/system/"), "{next}");
        let waiting = WatchFacts {
            waits_for_keys: true,
            ..dead
        };
        assert_eq!(severity(waiting), Some(Severity::Fine));
        for nobody_asks in [
            WatchFacts {
                is_wanted: false,
                ..disabled
            },
            WatchFacts {
                has_systemd: false,
                ..disabled
            },
        ] {
            assert_eq!(severity(nobody_asks), None);
        }
    }
}
