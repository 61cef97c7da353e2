//! What a backup's folder and files are called: in short names that every filesystem takes,
//! in an order that people see.

use std::time::{Duration, UNIX_EPOCH};

use super::manifest::StreamKind;

/// The file that makes a folder a backup.
pub const MANIFEST: &str = "manifest";
/// The copy of the ways in: what the recovery code, or an older stick, needs beside it where
/// the server is lost.
pub const WAYS: &str = "ways";
/// The file that says of a folder that it is being written or removed.
pub const UNFINISHED: &str = "unfinished";

/// The last second that has four digits for its year.
const LAST_SECOND: u64 = 253_402_300_799;

/// `000012-20261127T201500Z`: the number, and when it was begun, in UTC.
pub fn folder_name(number: u64, made: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(made.min(LAST_SECOND));
    let time = humantime::format_rfc3339_seconds(time).to_string();
    format!("{number:06}-{}", time.replace(['-', ':'], ""))
}

/// The number of the backup that this folder is named for.
pub fn number_of(folder: &str) -> Option<u64> {
    let (digits, time) = folder.split_once('-')?;
    let is_number = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = time.len() == 16 && time.ends_with('Z') && time.as_bytes()[8] == b'T';
    (is_number && is_time).then(|| digits.parse().ok())?
}

/// `database-0001.age`: one of the stream's files, from 1.
pub fn part_name(kind: StreamKind, part: usize) -> String {
    let stream = match kind {
        StreamKind::Database => "database",
        StreamKind::Files => "files",
    };
    format!("{stream}-{part:04}.age")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_named_for_number_and_time_and_known_by_it() {
        let name = folder_name(12, 1_764_274_500);
        assert_eq!(name, "000012-20251127T201500Z");
        assert_eq!(number_of(&name), Some(12));
        let late = folder_name(1_234_567, u64::MAX);
        assert_eq!(late, "1234567-99991231T235959Z");
        assert_eq!(number_of(&late), Some(1_234_567));
    }

    #[test]
    fn folders_of_others_are_none_of_ours() {
        for name in [
            "photos",
            "12-20251127T201500Z",
            "+00012-20251127T201500Z",
            "000012",
            "000012-",
            "000012-20251127",
            "99999999999999999999999-20251127T201500Z",
            "000012-20251127T201500Z.old",
        ] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
