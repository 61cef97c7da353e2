//! Clocks, and the kernel's id of this boot.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use super::sysfs;

/// Seconds since 1970 (UTC) by the machine's clock; 0 before 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Time since the kernel's start without suspends (CLOCK_MONOTONIC). It cannot
/// be set.
pub fn awake() -> Duration {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Time since the kernel's start with suspends (CLOCK_BOOTTIME). It cannot be
/// set.
pub fn since_boot() -> Duration {
    read(ClockId::CLOCK_BOOTTIME)
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// The kernel's random id of this boot (random(4)); zeroes where it has none.
pub fn boot_id() -> [u8; 16] {
    let mut id = [0; 16];
    let text = sysfs::read_text::<36>(Path::new("/proc/sys/kernel/random/boot_id"));
    let digits = text.iter().flat_map(|text| text.chars());
    let nibbles: heapless::Vec<u8, 32> = digits
        .filter_map(|digit| Some(digit.to_digit(16)? as u8))
        .collect();
    for (byte, pair) in id.iter_mut().zip(nibbles.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}
