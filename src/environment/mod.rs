//! A place by its factors: the parts of the machine, its neighbours and its key
//! servers; how a place is enrolled and how it is recognised.
//!
//! The rooms, from the top down (imports run downwards only):
//!
//! - `observing`: machine, neighbours and key servers together
//! - `enrolment`: which factors of a place are enrolled, and the slot made of
//!   them
//! - `matching`: combinations of factors, and what has changed; beside it
//!   `machine`, `wire` and `tang`: the machine's parts, neighbours, key servers
//! - `factors`: the labels of factors, and the values observed

mod enrolment;
mod factors;
mod machine;
mod matching;
mod observing;
mod tang;
#[cfg(test)]
mod tests;
mod wire;

#[cfg(test)]
pub use enrolment::test_slot;
pub use enrolment::{
    ChosenFactor, EnrolmentError, FactorSelection, NeighbourSelection, RefreshOutcome,
    RefreshedPlace, UnsuitableNeighbour, add_second_place, count_by_group, enrol,
    neighbour_addresses, opens_again, refresh, select_factors, select_parts, table_with_place,
    usual_thresholds,
};
#[cfg(any(test, feature = "admin"))]
pub use enrolment::{NextSlots, slots_for_next_key};
#[cfg(feature = "admin")]
pub use enrolment::{Strength, Unsuitable, is_public, most_neighbours, strength, unsuitable_today};
pub use factors::{Attachment, HOME, Observed, SECOND, address_of, neighbour_label};
#[cfg(feature = "admin")]
pub use factors::{is_asked, server_address, server_label};
#[cfg(feature = "admin")]
pub use machine::note_latecomers;
pub use machine::observe_machine;
pub use matching::{
    Arrangements, Candidates, Comparison, Margin, Matcher, PlaceProof, answered, compare,
    enough_answered,
};
pub use observing::{COLD_START_WAIT, LIVE_NETWORK_WAIT, Patience, observe_place};
#[cfg(feature = "admin")]
pub use observing::{Watched, WatchedPlace};
pub use tang::KeyServers;
#[cfg(feature = "admin")]
pub use tang::{Advertisement, AdvertisementError};
#[cfg(feature = "admin")]
pub use tang::{
    HttpRequest, NoReply, Thumbprint, ask_once, enrol_with_server, factor_value, parse_thumbprint,
    recover_once, thumbprint, thumbprint_text,
};
#[cfg(feature = "fuzzing")]
pub use tang::{ReplyReader, parse_answer as parse_server_answer};
#[cfg(test)]
pub use tang::{TestPeer, TestTang, answering_with_another_key};
pub use wire::{Cards, Neighbours};
#[cfg(feature = "fuzzing")]
pub use wire::{parse_advertisement, parse_arp_reply, parse_arp_sender};
