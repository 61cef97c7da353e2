//! Backups of the database: those that copy its files (`mariadb::cold_backups` finds them),
//! and how old the newest of our own is. Pure.

use super::check_result::{CheckResult, Severity};
use crate::admin::backup::LastBackup;
use crate::admin::mariadb::cold_backups::{ColdBackup, NEXT, sentences};

const NAME: &str = "backups";
const NEWEST: &str = "newest_backup";

/// Warns of these backups. No result where none was found: that proves nothing.
pub fn judge(found: &[ColdBackup]) -> Vec<CheckResult> {
    let [data, system] = sentences(found);
    let mut results = Vec::new();
    results.extend(data.map(|what| CheckResult::new(NAME, Severity::Warning, what, NEXT)));
    // An owner cannot make it go away, and may have a dump beside it.
    results.extend(system.map(|what| CheckResult::fine(NAME, what)));
    results
}

/// Warns of a newest backup that is too old; `now` is in seconds since 1970 UTC. No result
/// where `stayput backup` was never used: its owner may have others.
pub fn judge_newest(newest: LastBackup, now: u64) -> Option<CheckResult> {
    let what = newest.sentence(now)?;
    Some(match newest.is_too_old(now) {
        true => {
            let next = "stayput backup --to PLACE";
            CheckResult::new(NEWEST, Severity::Warning, what, next)
        }
        false => CheckResult::fine(NEWEST, what),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Verified;

    #[test]
    fn newest_backup_is_a_warning_once_it_is_old() {
        let made = 1_764_274_500;
        let good = LastBackup::Good(Verified { number: 12, made });
        let severity = |newest, now| judge_newest(newest, now).map(|result| result.severity);
        assert_eq!(severity(good, made + 60), Some(Severity::Fine));
        let old = made + 30 * 24 * 3600;
        assert_eq!(severity(good, old), Some(Severity::Warning));
        assert_eq!(
            severity(LastBackup::NoneGood, made),
            Some(Severity::Warning)
        );
        assert_eq!(severity(LastBackup::Never, made), None);
    }
    use crate::admin::mariadb::cold_backups::Covers;

    fn backup(covers: Covers) -> ColdBackup {
        ColdBackup {
            covers,
            file: "/etc/cron.d/db".into(),
            line: 3,
            path: "/var/lib/mysql".into(),
        }
    }

    #[test]
    fn a_copy_of_the_files_is_a_warning_and_of_the_system_a_word() {
        let severities = |found: &[ColdBackup]| -> Vec<Severity> {
            judge(found).iter().map(|found| found.severity).collect()
        };
        assert_eq!(severities(&[]), []);
        assert_eq!(severities(&[backup(Covers::System)]), [Severity::Fine]);
        let both = [backup(Covers::Data), backup(Covers::System)];
        assert_eq!(severities(&both), [Severity::Warning, Severity::Fine]);
        let first = &judge(&both)[0];
        assert!(first.what.contains("/etc/cron.d/db line 3"), "{first:?}");
        assert!(first.next.contains("docs/backup.md"), "{first:?}");
    }
}
