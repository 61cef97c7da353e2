//! The original of the database that `mariadb enable`, or `mariadb disable --clear`,
//! leaves until a boot has proven the copy. Pure.

use std::io;

use super::check_result::{CheckResult, Severity};
use crate::admin::mariadb::Original;

const CLEAR: &str = "clear_copy";
const ENCRYPTED: &str = "encrypted_original";

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
        Err(error) => Some(CheckResult::new(
            CLEAR,
            Severity::Unknown,
            format!("Whether a clear copy of the database is on the disk cannot be told: {error}."),
            "Run the command as root; look at `dmesg`.",
        )),
    }
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
}
