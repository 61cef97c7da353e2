//! The kernel log: writing to it, and keeping it off a console.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::errno::Errno;

use super::sysfs;

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
        // What does not fit is cut.
        let _ = core::fmt::write(
            &mut line,
            format_args!("<{level}>stayput: {}", record.args()),
        );
        // Without it the kernel holds the line back until the next one comes.
        if line.push('\n').is_err() {
            line.pop();
            let _ = line.push('\n');
        }
        // Opened for each line: the kernel limits what one opening may write.
        if let Ok(mut kmsg) = OpenOptions::new().write(true).open("/dev/kmsg") {
            let _ = kmsg.write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// Sends the `log` crate's messages to the kernel log, with `stayput:` in
/// front.
pub fn use_for_logging() {
    if log::set_logger(&KernelLog).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// While it lives, only emergencies are printed on the consoles.
pub struct QuietConsole {
    level_before: libc::c_int,
}

impl QuietConsole {
    /// `None` when the kernel does not let us.
    pub fn begin() -> Option<Self> {
        let text = sysfs::read_text::<64>(Path::new("/proc/sys/kernel/printk"))?;
        let level_before = text.split_whitespace().next()?.parse().ok()?;
        set_level(1).ok()?;
        Some(Self { level_before })
    }
}

impl Drop for QuietConsole {
    fn drop(&mut self) {
        let _ = set_level(self.level_before);
    }
}

fn set_level(level: libc::c_int) -> Result<(), Errno> {
    // SAFETY: this action takes no buffer; the number is the new level.
    let result = unsafe { libc::klogctl(SET_CONSOLE_LEVEL, core::ptr::null_mut(), level) };
    Errno::result(result).map(drop)
}
