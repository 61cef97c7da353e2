//! Points in time as people and scripts read them.

use std::time::{Duration, UNIX_EPOCH};

/// A time in seconds since 1970 as RFC 3339 in UTC: `2023-11-14T22:13:20Z`.
pub fn rfc3339(seconds: u64) -> String {
    let since = Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}
