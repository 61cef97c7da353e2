//! Observing the place from the running system, with the boot stage's code.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::environment::{Neighbours, Observed, observe_machine};
use crate::vault::Label;

/// How long neighbours are waited for; on a live network they answer within
/// milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// The machine, and the neighbours among `labels`; returns when all of those
/// have answered, at `enough`, or after three seconds.
pub fn look_around<'a>(
    labels: impl Iterator<Item = &'a Label> + Clone,
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
        if all_in || enough(&observed) || now > start + PATIENCE {
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
