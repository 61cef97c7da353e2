//! Points in time as people and scripts read them.

use std::time::{Duration, UNIX_EPOCH};

/// The last second that RFC 3339 can say, at the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// A time in seconds since 1970 as RFC 3339 in UTC: `2023-11-14T22:13:20Z`. A
/// disk may say any number; later ones are the last that can be said.
pub fn rfc3339(seconds: u64) -> String {
    let since = Duration::from_secs(seconds.min(LAST_SECOND));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_no_end_of_the_list() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(LAST_SECOND), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(u64::MAX), rfc3339(LAST_SECOND));
    }
}
