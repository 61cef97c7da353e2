//! Writes to the kernel log, and keeps it off the consoles.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::errno::Errno;

use super::{sysfs, unit_messages};
use crate::printable::PrintableLines;

/// Bytes of one line, at most (LOG_LINE_MAX, kernel/printk).
const LINE: usize = 960;
/// `SYSLOG_ACTION_CONSOLE_LEVEL`, syslog(2).
const SET_CONSOLE_LEVEL: libc::c_int = 8;

struct KernelLog;

impl Log for KernelLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            _ => 6,
        };
        let mut line = heapless::String::<LINE>::new();
        // A longer message is cut.
        let _ = core::fmt::write(
            &mut line,
            format_args!(
                "<{level}>stayput: {}",
                PrintableLines(&record.args().to_string())
            ),
        );
        // Without a newline the kernel holds the line back until the next one.
        if line.push('\n').is_err() {
            line.pop();
            let _ = line.push('\n');
        }
        // Opened for each line, because the kernel limits the rate of each
        // opening.
        if let Ok(mut kmsg) = OpenOptions::new().write(true).open("/dev/kmsg") {
            let _ = kmsg.write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// Sends the messages of the `log` crate to the kernel log, with `stayput:` in
/// front.
pub fn use_for_logging() {
    if log::set_logger(&KernelLog).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// While this lives, the kernel prints only emergencies on the consoles, and
/// systemd nothing of the units that it starts. Afterwards both do as before.
pub struct QuietConsole {
    level_before: libc::c_int,
}

impl QuietConsole {
    /// Quiets the consoles; `None` where the kernel does not allow it.
    pub fn begin() -> Option<Self> {
        let text = sysfs::read_text::<64>(Path::new("/proc/sys/kernel/printk"))?;
        let level_before = text.split_whitespace().next()?.parse().ok()?;
        set_level(1).ok()?;
        unit_messages::silence();
        Some(Self { level_before })
    }
}

impl Drop for QuietConsole {
    fn drop(&mut self) {
        let _ = set_level(self.level_before);
        unit_messages::put_back();
    }
}

fn set_level(level: libc::c_int) -> Result<(), Errno> {
    // SAFETY: this action takes no buffer; the number is the new level.
    let result = unsafe { libc::klogctl(SET_CONSOLE_LEVEL, core::ptr::null_mut(), level) };
    Errno::result(result).map(drop)
}
