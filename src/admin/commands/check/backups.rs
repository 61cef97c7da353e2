//! Backups that copy the database's files. Pure; `mariadb::cold_backups` finds
//! them.

use super::check_result::{CheckResult, Severity};
use crate::admin::mariadb::cold_backups::{ColdBackup, NEXT, sentences};

const NAME: &str = "backups";

/// Warns of these backups. No result where none was found: that proves nothing.
pub fn judge(found: &[ColdBackup]) -> Vec<CheckResult> {
    let [data, system] = sentences(found);
    let mut results = Vec::new();
    results.extend(data.map(|what| CheckResult::new(NAME, Severity::Warning, what, NEXT)));
    // An owner cannot make it go away, and may have a dump beside it.
    results.extend(system.map(|what| CheckResult::fine(NAME, what)));
    results
}

#[cfg(test)]
mod tests {
    use super::*;
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
