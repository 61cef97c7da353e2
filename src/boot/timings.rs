//! Measures how long each part of the stage takes.

use core::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

/// The time spent in one part of the stage, all its runs together.
#[derive(Clone, Copy, Default)]
pub struct Stopwatch(Duration);

impl Stopwatch {
    /// Adds the time that `work` takes.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0 += start.elapsed();
        result
    }
}

impl Display for Stopwatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_millis())
    }
}

/// The timings of one run of the stage. It prints as one line, in milliseconds.
pub struct Timings {
    start: Instant,
    /// From the start until the keys were in memory.
    released: Option<Duration>,
    /// Finding and reading the vault.
    pub vault: Stopwatch,
    /// Observing the parts of the machine.
    pub machine: Stopwatch,
    asking_since: Option<Instant>,
    /// From the start of asking until there was a combination to try.
    neighbours: Option<Stopwatch>,
    /// From the start of asking until the last key server had answered.
    servers: Option<Stopwatch>,
    /// Trying combinations, passphrases and PINs.
    pub unwrap: Stopwatch,
    /// Putting the keys into memory.
    pub tmpfs: Stopwatch,
}

impl Timings {
    /// Timings of a stage that began at `start`.
    pub fn begin(start: Instant) -> Self {
        Self {
            start,
            released: None,
            vault: Stopwatch::default(),
            machine: Stopwatch::default(),
            asking_since: None,
            neighbours: None,
            servers: None,
            unwrap: Stopwatch::default(),
            tmpfs: Stopwatch::default(),
        }
    }

    /// When the stage began.
    pub fn started(&self) -> Instant {
        self.start
    }

    /// The time since then.
    pub fn since_start(&self) -> Duration {
        self.start.elapsed()
    }

    /// Notes that the keys are in memory; returns the milliseconds from the
    /// start.
    pub fn released(&mut self) -> u32 {
        let took = *self.released.insert(self.start.elapsed());
        took.as_millis().try_into().unwrap_or(u32::MAX)
    }

    /// Notes that neighbours and key servers are asked from `now` on; only the
    /// first call counts.
    pub fn begin_to_ask(&mut self, now: Instant) {
        self.asking_since.get_or_insert(now);
    }

    /// Notes that enough neighbours have answered; only the first call counts.
    pub fn neighbours_answered(&mut self) {
        let waited = self.asking();
        self.neighbours.get_or_insert(waited);
    }

    /// Notes that a key server has answered.
    pub fn server_answered(&mut self) {
        self.servers = Some(self.asking());
    }

    /// The time since asking began.
    fn asking(&self) -> Stopwatch {
        Stopwatch(
            self.asking_since
                .map_or_else(Duration::default, |since| since.elapsed()),
        )
    }
}

impl Display for Timings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "released after {} ms: vault {}, machine {}, neighbours {}, ",
            self.released.unwrap_or_default().as_millis(),
            self.vault,
            self.machine,
            self.neighbours.unwrap_or_default(),
        )?;
        if let Some(servers) = self.servers {
            write!(f, "tang {servers}, ")?;
        }
        let all = self.start.elapsed().as_millis();
        write!(
            f,
            "unwrap {}, tmpfs {}; {all} ms in all",
            self.unwrap, self.tmpfs
        )
    }
}
