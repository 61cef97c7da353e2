//! How long each part of the stage took.

use core::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

/// Time spent in one part, all its runs together.
#[derive(Clone, Copy, Default)]
pub struct Part(Duration);

impl Part {
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0 += start.elapsed();
        result
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_millis())
    }
}

/// All figures are milliseconds.
pub struct Figures {
    start: Instant,
    pub vault: Part,
    pub machine: Part,
    /// From the start of asking until there was a combination to try.
    neighbours: Option<Part>,
    pub unwrap: Part,
    pub tmpfs: Part,
}

impl Figures {
    pub fn begin(start: Instant) -> Self {
        Self {
            start,
            vault: Part::default(),
            machine: Part::default(),
            neighbours: None,
            unwrap: Part::default(),
            tmpfs: Part::default(),
        }
    }

    pub fn started(&self) -> Instant {
        self.start
    }

    pub fn since_start(&self) -> Duration {
        self.start.elapsed()
    }

    /// Milliseconds since the start.
    pub fn elapsed(&self) -> u32 {
        self.start
            .elapsed()
            .as_millis()
            .try_into()
            .unwrap_or(u32::MAX)
    }

    /// Enough neighbours have answered; only the first time counts.
    pub fn neighbours_answered(&mut self) {
        let before = self.vault.0 + self.machine.0;
        let waited = self.start.elapsed().saturating_sub(before);
        self.neighbours.get_or_insert(Part(waited));
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "released after {} ms: vault {}, machine {}, neighbours {}, unwrap {}, tmpfs {}",
            self.elapsed(),
            self.vault,
            self.machine,
            self.neighbours.unwrap_or_default(),
            self.unwrap,
            self.tmpfs
        )
    }
}
