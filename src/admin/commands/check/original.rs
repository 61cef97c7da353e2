//! The original of the database that `mariadb enable`, or `mariadb disable --clear`,
//! leaves until a boot has proven the copy, and the copies that a way back has kept. Pure.

use std::io;

use super::check_result::{CheckResult, Severity};
use crate::admin::mariadb::{KeptCopy, Original};

const CLEAR: &str = "clear_copy";
const ENCRYPTED: &str = "encrypted_original";
const KEPT: &str = "kept_copy";

/// Warns of it. Pure.
pub fn judge(found: &io::Result<Option<Original>>) -> Option<CheckResult> {
    match found {
        Ok(None) => None,
        Ok(Some(original)) => Some(CheckResult::new(
            match original.is_clear_copy() {
                true => CLEAR,
                false => ENCRYPTED,
            },
            Severity::Warning,
            original.what(),
            original.next(),
        )),
        Err(error) => Some(unknown(error)),
    }
}

/// Warns of each copy that waits for its owner. Pure.
pub fn judge_copies(found: &io::Result<Vec<KeptCopy>>) -> Vec<CheckResult> {
    let warn = |copy: &KeptCopy| {
        let name = match copy.is_clear() {
            true => CLEAR,
            false => KEPT,
        };
        CheckResult::new(name, Severity::Warning, copy.what(), copy.next())
    };
    match found {
        Ok(copies) => copies.iter().map(warn).collect(),
        Err(error) => vec![unknown(error)],
    }
}

fn unknown(error: &io::Error) -> CheckResult {
    CheckResult::new(
        CLEAR,
        Severity::Unknown,
        format!("Whether a clear copy of the database is on the disk cannot be told: {error}."),
        "Run the command as root; look at `dmesg`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_cannot_be_read_is_not_called_fine() {
        assert_eq!(judge(&Ok(None)), None);
        let unknown = judge(&Err(io::ErrorKind::PermissionDenied.into())).unwrap();
        assert_eq!(unknown.severity, Severity::Unknown);
    }

    #[test]
    fn copy_that_waits_for_its_owner_is_warned_of() {
        let found = judge_copies(&Ok(vec![KeptCopy::example()]));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].name, found[0].severity),
            (CLEAR, Severity::Warning)
        );
        assert!(found[0].next.contains("destroy-copy"));
        let unknown = judge_copies(&Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(unknown[0].severity, Severity::Unknown);
    }
}
