//! Restores network cards for the real system: after the stage was killed, and
//! after the distribution's own network set-up. The initramfs script calls
//! this.

use std::path::Path;

use crate::sys::{interface, route};

/// Removes all addresses from the cards with these numbers and puts them down. Cards
/// that have gone, and those of somebody else, are skipped.
pub fn restore_links(cards: impl Iterator<Item = String>) {
    for index in cards.filter_map(|index| index.parse().ok()) {
        if interface::is_set_up_by_others(Path::new("/"), index) {
            continue;
        }
        let Some(card) = interface::name_of(index) else {
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
