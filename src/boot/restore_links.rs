//! Restores network cards for the real system: after the stage was killed, and
//! after the distribution's own network set-up. The initramfs script calls
//! this.

use crate::sys::{interface, route};

/// Removes all addresses from these cards and puts them down. Cards that have
/// gone are skipped.
pub fn restore_links(cards: impl Iterator<Item = String>) {
    for card in cards {
        let Some(index) = interface::index(&card) else {
            continue;
        };
        for found in route::addresses(index).iter().flatten() {
            // Fails for addresses that the kernel has removed together with
            // others.
            let _ = route::remove_address(index, found.address, found.prefix);
        }
        if let Err(errno) = interface::set_up(&card, false) {
            log::warn!("{card} was not put down again: {errno}");
        }
    }
}
