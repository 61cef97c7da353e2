//! Sees that a place takes what is written to it. A stick that does not answer keeps the write
//! in the kernel, where no signal reaches; what writes into the pipe before it waits, and
//! mariadb-backup may hold up all commits of the clinic at that moment.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What takes longer is a stall. What may wait in memory for a slow stick takes less.
pub const STALL: Duration = Duration::from_secs(10);

/// How often it is looked, as a part of the limit.
const LOOKS: u32 = 20;

/// Watches writes, one at a time.
pub struct StallWatch {
    shared: Arc<Shared>,
    looking: Option<JoinHandle<()>>,
}

struct Shared {
    begun: Instant,
    /// Milliseconds from `begun` to the beginning of the present write, plus one; 0 between
    /// two writes.
    writing_since: AtomicU64,
    has_ended: AtomicBool,
    has_stalled: AtomicBool,
}

impl StallWatch {
    /// Watches from now on. `stalled` is called once, if a write takes longer than `limit`.
    pub fn begin(limit: Duration, stalled: impl FnOnce() + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            writing_since: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            has_stalled: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let looking = thread::spawn(move || theirs.look(limit, stalled));
        Self {
            shared,
            looking: Some(looking),
        }
    }

    /// Does a write.
    pub fn during<T>(&self, write: impl FnOnce() -> T) -> T {
        let since = self.shared.elapsed() + 1;
        self.shared.writing_since.store(since, Ordering::Release);
        let written = write();
        self.shared.writing_since.store(0, Ordering::Release);
        written
    }

    /// Ends, and says whether a write has taken too long. `stalled` is not called any more.
    pub fn end(mut self) -> bool {
        self.stop();
        self.shared.has_stalled.load(Ordering::Acquire)
    }

    fn stop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Release);
        if let Some(looking) = self.looking.take() {
            looking.thread().unpark();
            let _ = looking.join();
        }
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn look(&self, limit: Duration, stalled: impl FnOnce()) {
        let most = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        while !self.has_ended.load(Ordering::Acquire) {
            let since = self.writing_since.load(Ordering::Acquire);
            if since > 0 && self.elapsed().saturating_sub(since) > most {
                self.has_stalled.store(true, Ordering::Release);
                stalled();
                return;
            }
            thread::park_timeout(limit / LOOKS);
        }
    }
}

/// Watches what nothing but the kernel ends where a place does not answer, and what holds
/// nobody else up. Whoever waits for it is told so.
pub fn watch_patiently(named: &Path) -> StallWatch {
    let told = format!(
        "{} has not answered for {} seconds. It is waited for; if nothing more comes, pull it out.",
        named.display(),
        STALL.as_secs()
    );
    StallWatch::begin(STALL, move || eprintln!("stayput: {told}"))
}

/// Does one such thing.
pub fn patiently<T>(named: &Path, act: impl FnOnce() -> T) -> T {
    watch_patiently(named).during(act)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::sleep;

    const LIMIT: Duration = Duration::from_millis(400);

    #[test]
    fn write_that_stalls_is_told_of_while_it_hangs() {
        let (tell, told) = channel();
        let watch = StallWatch::begin(LIMIT, move || tell.send(()).unwrap());
        // It comes back only when it was told of.
        let was_told = watch.during(|| told.recv_timeout(Duration::from_secs(20)));
        assert!(was_told.is_ok());
        assert!(watch.end());
    }

    #[test]
    fn slow_database_is_no_stall_of_the_stick() {
        let watch = StallWatch::begin(LIMIT, || panic!("nothing was written"));
        for _ in 0..3 {
            watch.during(|| ());
            sleep(LIMIT / 2);
        }
        assert!(!watch.end());
    }

    #[test]
    fn watch_that_ends_keeps_nobody_waiting() {
        let begun = Instant::now();
        for _ in 0..20 {
            let watch = StallWatch::begin(Duration::from_secs(40), || ());
            watch.during(|| ());
            assert!(!watch.end());
        }
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}
