//! Observes the machine, the neighbours and the key servers together, once.

use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::environment::factors::{Observed, is_asked};
use crate::environment::machine::observe_machine;
use crate::environment::tang::KeyServers;
use crate::environment::wire::{Cards, Neighbours};
use crate::vault::{Label, Value};

/// How long answers are waited for on a live network, where they come within
/// milliseconds.
pub const LIVE_NETWORK_WAIT: Duration = Duration::from_secs(3);
/// How long answers are waited for when the network cards may be down: link-up
/// takes up to four seconds.
pub const COLD_START_WAIT: Duration = Duration::from_secs(8);

/// How long a second answer from an address is waited for: one that comes at all
/// comes as soon as the first.
const SECOND_ANSWER_WAIT: Duration = Duration::from_millis(300);

/// How long answers are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    longest: Duration,
    /// Once all have answered.
    then: Duration,
}

impl Patience {
    /// Until all have answered, for `longest` at most.
    pub const fn until_all_answer(longest: Duration) -> Self {
        Self {
            longest,
            then: Duration::ZERO,
        }
    }

    /// So long that two stations at one address are heard.
    pub const fn and_second_answers(self) -> Self {
        Self {
            then: SECOND_ANSWER_WAIT,
            ..self
        }
    }
}

/// Observes the machine, the neighbours among `labels`, and the key servers.
/// Returns when all of `labels` have answered, when `enough` says so, or when
/// `patience` is at its end.
pub fn observe_place<'a>(
    labels: impl Iterator<Item = &'a Label> + Clone,
    mut servers: KeyServers,
    cards: Cards,
    patience: Patience,
    mut enough: impl FnMut(&Observed) -> bool,
) -> Observed {
    let mut observed = observe_machine();
    let mut neighbours = Neighbours::new(labels.clone(), cards, Instant::now());
    let mut all_in_since = None;
    collect_answers(&mut neighbours, &mut servers, patience.longest, |answers| {
        observed.note_answers(answers);
        let is_done = all_in(labels.clone(), &observed) && {
            let since = *all_in_since.get_or_insert_with(Instant::now);
            since.elapsed() >= patience.then
        };
        is_done || enough(&observed)
    });
    observed.note_not_asked(neighbours.not_asked());
    for (label, attachment) in neighbours.attachments() {
        observed.note_attachment(&label, attachment);
    }
    for (label, name) in neighbours.interfaces() {
        observed.note_interface(&label, &name);
    }
    observed
}

/// Whether all of `labels` that are asked have answered; parts of the machine were
/// looked at before.
fn all_in<'a>(labels: impl Iterator<Item = &'a Label>, observed: &Observed) -> bool {
    let mut asked = labels.filter(|label| is_asked(label));
    asked.all(|label| observed.value(label).is_some())
}

/// Asks and listens until `enough` returns true, or for `patience`, the time that
/// `enough` takes not counted; for [`COLD_START_WAIT`] at least where a network card was
/// put up for it. `enough` gets the answers as they come in.
pub(super) fn collect_answers(
    neighbours: &mut Neighbours,
    servers: &mut KeyServers,
    patience: Duration,
    mut enough: impl FnMut(&[(Label, Value)]) -> bool,
) {
    let mut start = Instant::now();
    let mut is_enough = enough(&[]);
    let next = |neighbours: &Neighbours, servers: &KeyServers| {
        let due = [neighbours.next(), servers.next()];
        due.into_iter().flatten().min()
    };
    while let Some(due) = next(neighbours, servers) {
        let now = Instant::now();
        let patience = patience_for(neighbours.has_woken_links(), patience);
        if is_enough || now > start + patience {
            return;
        }
        let is_due = neighbours.next().is_some_and(|due| now >= due);
        if is_due && neighbours.ask(now) {
            servers.ask_soon(now);
        }
        if !servers.work_ahead(now) && due > now {
            let neighbours = neighbours.sockets().map(|fd| (fd, PollFlags::POLLIN));
            let sockets: Vec<_> = neighbours.chain(servers.sockets()).collect();
            let fds = sockets.iter();
            let mut fds: Vec<PollFd<'_>> =
                fds.map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
            let wait = PollTimeout::try_from(due - now).unwrap_or(PollTimeout::MAX);
            // A signal may end the wait early, which does no harm.
            let _ = poll(&mut fds, wait);
        }
        let heard = neighbours.answers();
        let computing = Instant::now();
        is_enough = enough(&heard);
        let answers = servers.drive(Instant::now());
        is_enough |= !answers.is_empty() && enough(&answers);
        // A slow computer tries for seconds what it has heard. What came in meanwhile
        // is heard next.
        start += computing.elapsed();
    }
}

/// How long answers are waited for: a card that was put up for it needs a while
/// until it hears anybody.
fn patience_for(has_woken_links: bool, wanted: Duration) -> Duration {
    match has_woken_links {
        true => wanted.max(COLD_START_WAIT),
        false => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_puts_a_card_up_waits_as_long_as_a_boot() {
        assert_eq!(patience_for(true, LIVE_NETWORK_WAIT), COLD_START_WAIT);
        assert_eq!(patience_for(false, LIVE_NETWORK_WAIT), LIVE_NETWORK_WAIT);
        let longer = COLD_START_WAIT * 2;
        assert_eq!(patience_for(true, longer), longer);
    }
}
