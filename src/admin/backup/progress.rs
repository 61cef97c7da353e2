//! How far a backup or a restore has come: what is done, how fast, and what is left.

use std::time::{Duration, Instant};

use crate::admin::output;
use crate::backup::Files;

/// How often a line is printed on a terminal, and in a log.
const EVERY: Duration = Duration::from_secs(1);
const EVERY_IN_A_LOG: Duration = Duration::from_secs(30);

/// Tells from time to time how far something has come.
pub struct Progress {
    /// Bytes of all of it, as far as that is known beforehand.
    all: u64,
    begun: Instant,
    told: Instant,
    on_one_line: bool,
    /// Something stands on the line.
    is_told: bool,
}

impl Progress {
    /// Begins now. `all` bytes are expected; on a terminal one line is printed over again.
    pub fn of(all: u64) -> Self {
        use std::io::IsTerminal;
        let now = Instant::now();
        Self {
            all,
            begun: now,
            told: now,
            on_one_line: std::io::stdout().is_terminal(),
            is_told: false,
        }
    }

    /// Notes that `done` bytes are done.
    pub fn at(&mut self, done: u64) {
        let every = match self.on_one_line {
            true => EVERY,
            false => EVERY_IN_A_LOG,
        };
        if self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        self.is_told = true;
        let line = line(done, self.all, self.begun.elapsed());
        match self.on_one_line {
            true => output::print_over(&format!("{line:<70}")),
            false => println!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.on_one_line && self.is_told {
            println!();
        }
    }
}

fn line(done: u64, all: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    let rate = done as f64 / seconds;
    let of = match all > done {
        true => format!(" of about {}", size(all)),
        false => String::new(),
    };
    let left = match all > done && rate >= 1.0 {
        true => format!(", about {} left", duration((all - done) as f64 / rate)),
        false => String::new(),
    };
    format!("  {}{of}, {}/s{left}", size(done), size(rate as u64))
}

/// Bytes as people read them, in powers of ten.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The files besides the database, as they stand behind other words; empty without any.
pub fn besides(files: &Files) -> String {
    match files.count {
        0 => String::new(),
        1 => format!(", 1 file ({})", size(files.bytes)),
        count => format!(", {count} files ({})", size(files.bytes)),
    }
}

fn duration(seconds: f64) -> String {
    match seconds as u64 {
        seconds @ 0..90 => format!("{} s", seconds + 1),
        seconds @ 90..5400 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_were_named_are_counted_in_words() {
        let of = |count, bytes| besides(&Files { count, bytes });
        assert_eq!(of(0, 0), "");
        assert_eq!(of(1, 17), ", 1 file (1 kB)");
        assert_eq!(of(20, 3_000_000), ", 20 files (3 MB)");
    }

    #[test]
    fn rate_and_time_left_are_told_as_long_as_they_are_known() {
        let took = Duration::from_secs(10);
        assert_eq!(
            line(200_000_000, 1_000_000_000, took),
            "  200 MB of about 1.0 GB, 20 MB/s, about 41 s left"
        );
        assert_eq!(
            line(200_000_000, 4_200_000_000, took),
            "  200 MB of about 4.2 GB, 20 MB/s, about 4 min left"
        );
        // More came than was expected, and nothing so far.
        assert_eq!(line(2_000_000, 1, took), "  2 MB, 200 kB/s");
        assert_eq!(line(0, 4_000, took), "  0 kB of about 4 kB, 0 kB/s");
        assert_eq!(duration(7200.0), "2.0 h");
    }
}
