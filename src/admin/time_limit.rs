//! Looks that may never end: a disk that dies, a network filesystem whose server is silent.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs a look in a thread; `None` where it takes longer than `limit`, or no thread can be
/// had. Then it goes on unheard. What hangs in the kernel holds up the end of the process,
/// and nothing before it.
pub fn within<T: Send + 'static>(
    limit: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || answer.send(look()));
    thread.ok().and(answered.recv_timeout(limit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_never_ends_is_waited_for_no_longer() {
        let (_ends, never) = mpsc::channel::<()>();
        let silent = move || never.recv();
        assert_eq!(within(Duration::from_millis(10), silent), None);
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
    }
}
