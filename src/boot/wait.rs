//! Waits until a source of events is ready.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::console::Consoles;
use super::sticks::Sticks;
use crate::environment::{KeyServers, Neighbours};
use crate::sys::uevent::UeventSocket;

/// Longest wait in milliseconds: sticks are looked for at least this often,
/// should an event be missed. A stick that hangs before its partitions were read
/// has none.
const LONGEST: u16 = 1000;

/// Returns when a source can be read, when a console takes output again, at
/// `until`, or after [`LONGEST`].
pub fn wait(
    uevents: Option<&UeventSocket>,
    neighbours: Option<&Neighbours>,
    servers: &KeyServers,
    sticks: &Sticks,
    consoles: &Consoles,
    until: Option<Instant>,
) {
    let readable = uevents
        .map(UeventSocket::as_fd)
        .into_iter()
        .chain(neighbours.into_iter().flat_map(Neighbours::sockets))
        .chain(sticks.children());
    let mut console_flags = PollFlags::POLLIN;
    if consoles.is_behind() {
        console_flags |= PollFlags::POLLOUT;
    }
    let mut fds: Vec<PollFd<'_>> = readable
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .chain(servers.sockets().map(|(fd, flags)| PollFd::new(fd, flags)))
        .chain(
            consoles
                .terminals()
                .map(|fd| PollFd::new(fd, console_flags)),
        )
        .collect();
    let milliseconds = until.map_or(u128::from(LONGEST), |until| {
        // Rounded up: waking early would spin.
        until
            .saturating_duration_since(Instant::now())
            .as_micros()
            .div_ceil(1000)
    });
    let timeout = u16::try_from(milliseconds).unwrap_or(LONGEST).min(LONGEST);
    // A signal may end the wait early, which does no harm.
    let _ = poll(&mut fds, PollTimeout::from(timeout));
}
