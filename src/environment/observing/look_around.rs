//! Observing the whole place at once, for enrolling and for commands.

use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::environment::factors::Observed;
use crate::environment::machine::observe_machine;
use crate::environment::tang::KeyServers;
use crate::environment::wire::Neighbours;
use crate::vault::{Label, Value};

/// How long neighbours are waited for on a live network, where they answer
/// within milliseconds.
pub const ON_A_LIVE_NETWORK: Duration = Duration::from_secs(3);
/// How long everybody has to answer where the cards may be down still: link-up
/// takes up to four seconds.
pub const FROM_NOTHING: Duration = Duration::from_secs(8);

/// The machine, the neighbours among `labels`, and the key servers; returns
/// when all of `labels` have answered, at `enough`, or after `patience`.
pub fn look_around<'a>(
    labels: impl Iterator<Item = &'a Label> + Clone,
    mut servers: KeyServers,
    patience: Duration,
    mut enough: impl FnMut(&Observed) -> bool,
) -> Observed {
    let mut observed = observe_machine();
    let mut neighbours = Neighbours::new(labels.clone(), Instant::now());
    hear(&mut neighbours, &mut servers, patience, |answers| {
        observed.note_answers(answers);
        all_in(labels.clone(), &observed) || enough(&observed)
    });
    observed
}

/// Looks around as [`look_around`] on the network as it stands: no interface is
/// put up for it.
#[cfg(feature = "admin")]
pub fn look_around_quietly<'a>(
    labels: impl Iterator<Item = &'a Label> + Clone,
    mut servers: KeyServers,
    patience: Duration,
) -> Observed {
    let mut observed = observe_machine();
    let mut neighbours = Neighbours::on_live_links(labels.clone(), Instant::now());
    hear(&mut neighbours, &mut servers, patience, |answers| {
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
    servers: &mut KeyServers,
    patience: Duration,
    mut enough: impl FnMut(&[(Label, Value)]) -> bool,
) {
    let start = Instant::now();
    let mut is_enough = enough(&[]);
    let next = |neighbours: &Neighbours, servers: &KeyServers| {
        let due = [neighbours.next(), servers.next()];
        due.into_iter().flatten().min()
    };
    while let Some(due) = next(neighbours, servers) {
        let now = Instant::now();
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
            // An interrupted wait is a short one.
            let _ = poll(&mut fds, wait);
        }
        is_enough = enough(&neighbours.answers());
        let answers = servers.drive(Instant::now());
        is_enough |= !answers.is_empty() && enough(&answers);
    }
}
