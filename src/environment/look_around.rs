//! Observing the whole place at once, for enrolling and for commands.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Neighbours, Observed, observe_machine};
use crate::vault::{Label, Value};

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
    let mut neighbours = Neighbours::new(labels.clone(), Instant::now());
    hear(&mut neighbours, patience, |answers| {
        observed.note_answers(answers);
        all_in(labels.clone(), &observed) || enough(&observed)
    });
    observed
}

/// The same on the network as it stands: no interface is put up for it.
#[cfg(feature = "admin")]
pub fn look_around_quietly<'a>(
    labels: impl Iterator<Item = &'a Label> + Clone,
    patience: Duration,
) -> Observed {
    let mut observed = observe_machine();
    let mut neighbours = Neighbours::on_live_links(labels.clone(), Instant::now());
    hear(&mut neighbours, patience, |answers| {
        observed.note_answers(answers);
        all_in(labels.clone(), &observed)
    });
    observed
}

fn all_in<'a>(mut labels: impl Iterator<Item = &'a Label>, observed: &Observed) -> bool {
    labels.all(|label| observed.value(label).is_some())
}

/// Asks and listens until `enough`, which is given the answers as they come
/// in, or for as long as `patience`.
pub(super) fn hear(
    neighbours: &mut Neighbours,
    patience: Duration,
    mut enough: impl FnMut(&[(Label, Value)]) -> bool,
) {
    let start = Instant::now();
    let mut is_enough = enough(&[]);
    while let Some(due) = neighbours.next() {
        let now = Instant::now();
        if is_enough || now > start + patience {
            return;
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
        is_enough = enough(&neighbours.answers());
    }
}
