//! Limits the memory of the private servers. On a small machine without swap two
//! servers, sized as the owner sized one, would run out of memory.

use std::fs;

const MIB: u64 = 1 << 20;

/// What a server takes beside its buffer pool, in bytes.
const OVERHEAD: u64 = 192 * MIB;
/// Left for everybody else, in bytes.
const OTHERS: u64 = 128 * MIB;
/// Below this InnoDB does not work well.
const POOL_MIN: u64 = 32 * MIB;
/// A server that is read once from front to back gains nothing from more.
const OLD_MAX: u64 = 512 * MIB;
/// InnoDB's redo log for the time of the copy.
const LOG_MAX: u64 = 1024 * MIB;
const LOG_MIN: u64 = 96 * MIB;

/// InnoDB's sizes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The pool of the server that is read; None when it runs already.
    pub old_pool: Option<u64>,
    /// The buffer pool of the new server.
    pub new_pool: u64,
    /// The redo log of the new server.
    pub new_log: u64,
}

/// Divides the memory that is free. `data` is the size of what is copied;
/// `both` when two servers are started.
pub fn sizes(available: u64, data: u64, both: bool) -> Sizes {
    let servers = if both { 2 } else { 1 };
    let spare = available.saturating_sub(OTHERS + servers * OVERHEAD);
    // Beside a server that people work with, half of what is free stays free.
    let spare = if both { spare / 4 * 3 } else { spare / 2 };
    let old = (spare / 4).clamp(POOL_MIN, OLD_MAX);
    let rest = if both {
        spare.saturating_sub(old)
    } else {
        spare
    };
    let useful = data + data / 4 + 64 * MIB;
    Sizes {
        old_pool: both.then_some(old),
        new_pool: rest.min(useful).max(POOL_MIN),
        new_log: (data / 4).clamp(LOG_MIN, LOG_MAX),
    }
}

/// Memory that is available without swapping, in bytes.
pub fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    parse(&text).unwrap_or(512 * MIB)
}

fn parse(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_fit_into_what_is_free() {
        for available in [1024, 2048, 4096, 16384].map(|size| size * MIB) {
            for data in [0, 300, 5000, 100_000].map(|size| size * MIB) {
                let two = sizes(available, data, true);
                let old = two.old_pool.unwrap();
                assert!(
                    old + two.new_pool + 2 * OVERHEAD + OTHERS <= available,
                    "{two:?}"
                );
                let one = sizes(available, data, false);
                assert_eq!(one.old_pool, None);
                assert!(one.new_pool <= available / 2, "{one:?}");
            }
        }
        let small = sizes(200 * MIB, 5000 * MIB, true);
        assert_eq!((small.old_pool, small.new_pool), (Some(POOL_MIN), POOL_MIN));
    }

    #[test]
    fn a_small_database_takes_little() {
        assert!(sizes(32_768 * MIB, 10 * MIB, true).new_pool < 128 * MIB);
        assert_eq!(
            parse("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"),
            Some(2 * MIB)
        );
    }
}
