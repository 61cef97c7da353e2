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
    /// Until the keys were in memory.
    released: Option<Duration>,
    pub vault: Part,
    pub machine: Part,
    asking_since: Option<Instant>,
    /// From the start of asking until there was a combination to try.
    neighbours: Option<Part>,
    /// The same until the last key server before that had answered.
    servers: Option<Part>,
    pub unwrap: Part,
    pub tmpfs: Part,
}

impl Figures {
    pub fn begin(start: Instant) -> Self {
        Self {
            start,
            released: None,
            vault: Part::default(),
            machine: Part::default(),
            asking_since: None,
            neighbours: None,
            servers: None,
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

    /// The keys are in memory; milliseconds from the start to then.
    pub fn released(&mut self) -> u32 {
        let took = *self.released.insert(self.start.elapsed());
        took.as_millis().try_into().unwrap_or(u32::MAX)
    }

    /// Neighbours and key servers are asked from now on; only the first time
    /// counts.
    pub fn begin_to_ask(&mut self, now: Instant) {
        self.asking_since.get_or_insert(now);
    }

    /// Enough neighbours have answered; only the first time counts.
    pub fn neighbours_answered(&mut self) {
        let waited = self.asking();
        self.neighbours.get_or_insert(waited);
    }

    /// A key server has answered.
    pub fn server_answered(&mut self) {
        self.servers = Some(self.asking());
    }

    /// Since asking began.
    fn asking(&self) -> Part {
        Part(
            self.asking_since
                .map_or_else(Duration::default, |since| since.elapsed()),
        )
    }
}

impl Display for Figures {
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
