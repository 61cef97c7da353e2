//! Sleeping until a source has something to say.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::console::Consoles;
use crate::environment::{KeyServers, Neighbours};
use crate::sys::uevent::UeventSocket;

/// Without an end, as long as this at most, in milliseconds: sticks are then
/// looked for even if an event was missed.
const LONGEST: u16 = 1000;

/// Returns when a source can be read, a console takes text again, or at
/// `until`. Who reads finds out by reading: nothing here blocks.
pub fn wait(
    uevents: Option<&UeventSocket>,
    neighbours: Option<&Neighbours>,
    servers: &KeyServers,
    consoles: &Consoles,
    until: Option<Instant>,
) {
    let readable = uevents
        .map(UeventSocket::as_fd)
        .into_iter()
        .chain(neighbours.into_iter().flat_map(Neighbours::sockets));
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
    // An interrupted wait is a short one.
    let _ = poll(&mut fds, PollTimeout::from(timeout));
}
