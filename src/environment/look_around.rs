//! Observing the whole place at once, for enrolling and for commands.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Neighbours, Observed, observe_machine};
use crate::vault::Label;

/// How long neighbours are waited for on a live network, where they answer
/// within milliseconds.
pub const ON_A_LIVE_NETWORK: Duration = Duration::from_secs(3);
/// The same where the cards may be down still: link-up takes up to four
/// seconds.
pub const FROM_NOTHING: Duration = Duration::from_secs(8);

/// The machine, and the neighbours among `labels`; returns when all of those
/// have answered, at `enough`, or after `patience`.
pub fn look_around<'a>(
    labels: impl Iterator<Item = &'a Label> + Clone,
    patience: Duration,
    mut enough: impl FnMut(&Observed) -> bool,
) -> Observed {
    let mut observed = observe_machine();
    let start = Instant::now();
    let mut neighbours = Neighbours::new(labels.clone(), start);
    loop {
        let all_in = labels.clone().all(|label| observed.value(label).is_some());
        let Some(due) = neighbours.next() else {
            return observed;
        };
        let now = Instant::now();
        if all_in || enough(&observed) || now > start + patience {
            return observed;
        }
        if now >= due {
            neighbours.ask(now);
            continue;
        }
        let sockets: Vec<BorrowedFd<'_>> = neighbours.sockets().collect();
        let mut fds: Vec<PollFd<'_>> = sockets
            .iter()
            .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN))
            .collect();
        let wait = PollTimeout::try_from(due - now).unwrap_or(PollTimeout::MAX);
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, wait);
        for (label, value) in neighbours.answers() {
            observed.note(&label, &value);
        }
    }
}
