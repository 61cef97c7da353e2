//! A start without the keys, and who looks for the place then. Pure.

use super::check_result::{CheckResult, Severity};

/// What is known of it.
#[derive(Clone, Copy, Debug)]
pub struct LateReleaseFacts {
    /// Whether the policy starts the system without the keys.
    pub goes_on_locked: bool,
    /// Whether systemd is installed.
    pub has_systemd: bool,
    /// Whether stayput-release.service is as it was installed, and enabled.
    pub unit_in_place: bool,
    /// One in /etc is in force instead of a package's.
    pub hides_a_packages: bool,
}

/// Warns where nobody would look. No result where the policy has it that the boot
/// waits.
pub fn judge(facts: LateReleaseFacts) -> Option<CheckResult> {
    const NAME: &str = "late_release";
    let LateReleaseFacts {
        goes_on_locked,
        has_systemd,
        unit_in_place,
        hides_a_packages,
    } = facts;
    if !goes_on_locked || !has_systemd {
        return None;
    }
    Some(match unit_in_place {
        true => CheckResult::fine(
            NAME,
            "After a start without the keys the database opens when the place answers.",
        ),
        false => CheckResult::new(
            NAME,
            Severity::Warning,
            "After a start without the keys nobody looks for the place again: \
             stayput-release.service is missing, changed or disabled.",
            match hides_a_packages {
                true => {
                    "/etc/systemd/system/stayput-release.service is in force instead of the \
                     package's: rm it where nobody needs it, then stayput install"
                }
                false => "stayput install",
            },
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_without_keys_wants_somebody_who_looks_later() {
        let found = |goes_on_locked, has_systemd, unit_in_place, hides_a_packages| {
            judge(LateReleaseFacts {
                goes_on_locked,
                has_systemd,
                unit_in_place,
                hides_a_packages,
            })
        };
        let judged = |goes_on_locked, has_systemd, unit_in_place| {
            found(goes_on_locked, has_systemd, unit_in_place, false).map(|found| found.severity)
        };
        let hidden = found(true, true, false, true).unwrap().next;
        assert!(hidden.starts_with("/etc/systemd/system/"), "{hidden}");
        assert_eq!(judged(true, true, true), Some(Severity::Fine));
        assert_eq!(judged(true, true, false), Some(Severity::Warning));
        assert_eq!(judged(false, true, false), None);
        assert_eq!(judged(true, false, false), None);
    }
}
