//! Network cards as they were before: for the script beside the stage, when
//! the stage was killed, and after the distribution's own network set-up.

use crate::sys::{interface, route};

/// Takes all addresses from these cards, and puts them down. A card that has
/// gone needs nothing.
pub fn put_back(cards: impl Iterator<Item = String>) {
    for card in cards {
        let Some(index) = interface::index(&card) else {
            continue;
        };
        for found in route::addresses(index).iter().flatten() {
            // The kernel takes some back together with others.
            let _ = route::remove_address(index, found.address, found.prefix);
        }
        if let Err(errno) = interface::set_up(&card, false) {
            log::warn!("{card} was not put down again: {errno}");
        }
    }
}
