//! Enrolling a place: selecting the factors that bind the server there, how
//! many of them are needed, and making the slot. Pure.

mod enrol;
#[cfg(any(test, feature = "admin"))]
mod next_key;
mod refresh;
#[cfg(feature = "admin")]
mod review;
mod second_place;
mod selection;
#[cfg(feature = "admin")]
mod strength;
mod suitability;
#[cfg(test)]
mod test_slot;

pub use enrol::{ChosenFactor, EnrolmentError, enrol};
#[cfg(any(test, feature = "admin"))]
pub use next_key::{NextSlots, slots_for_next_key};
pub use refresh::{RefreshOutcome, RefreshedPlace, refresh};
#[cfg(feature = "admin")]
pub use review::{Unsuitable, unsuitable_today};
pub use second_place::add_second_place;
#[cfg(feature = "admin")]
pub use selection::most_neighbours;
pub use selection::{
    FactorSelection, NeighbourSelection, count_by_group, neighbour_addresses, opens_again,
    select_factors, select_parts, table_with_place, usual_thresholds,
};
#[cfg(feature = "admin")]
pub use strength::{Strength, is_public, strength};
pub use suitability::UnsuitableNeighbour;
#[cfg(test)]
pub use test_slot::test_slot;
