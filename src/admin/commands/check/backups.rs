//! Backups that copy the database's files. Pure; `admin::mariadb` looks.

use super::outcome::{Finding, Verdict};
use crate::admin::mariadb::cold_backups::{ColdBackup, NEXT, sentences};

const NAME: &str = "backups";

/// Says nothing where nothing was found: it is not known then that there are
/// no such backups.
pub fn judge(found: &[ColdBackup]) -> Vec<Finding> {
    let [data, system] = sentences(found);
    let mut findings = Vec::new();
    findings.extend(data.map(|what| Finding::new(NAME, Verdict::Warning, what, NEXT)));
    // An owner cannot make it go away, and may have a dump beside it.
    findings.extend(system.map(|what| Finding::fine(NAME, what)));
    findings
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
        let verdicts = |found: &[ColdBackup]| -> Vec<Verdict> {
            judge(found).iter().map(|found| found.verdict).collect()
        };
        assert_eq!(verdicts(&[]), []);
        assert_eq!(verdicts(&[backup(Covers::System)]), [Verdict::Fine]);
        let both = [backup(Covers::Data), backup(Covers::System)];
        assert_eq!(verdicts(&both), [Verdict::Warning, Verdict::Fine]);
        let first = &judge(&both)[0];
        assert!(first.what.contains("/etc/cron.d/db line 3"), "{first:?}");
        assert!(first.next.contains("docs/backup.md"), "{first:?}");
    }
}
