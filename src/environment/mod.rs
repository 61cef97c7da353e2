//! The known-environment fingerprint: what the machine is made of and what
//! stands around it; how a place is enrolled and how it is recognised.
//!
//! The rooms, from the top down (imports run downwards only):
//!
//! - `observing`: machine, neighbours and key servers together
//! - `enrolment`: what of a place is enrolled, and its slot
//! - `matching`: combinations of factors, and what has changed; beside it
//!   `machine`, `wire` and `tang`: the machine's parts, neighbours, key servers
//! - `factors`: names of factors, and what was observed of them

mod enrolment;
mod factors;
mod machine;
mod matching;
mod observing;
#[cfg(test)]
mod scenario_tests;
mod tang;
mod wire;

pub use enrolment::{
    Choice, Chosen, EnrolmentError, Fate, Refreshed, Refused, Verdict, addresses, choose, count,
    enrol, opens_again, put_beside_home, refresh, table_of, usual_thresholds,
};
#[cfg(feature = "admin")]
pub use enrolment::{Strength, is_public, strength};
pub use factors::{HOME, Observed, SECOND, address_of, is_server, neighbour_label};
#[cfg(feature = "admin")]
pub use factors::{server_address, server_label};
pub use machine::observe_machine;
pub use matching::{
    Comparison, Margin, Matcher, answered, compare, enough_answered, enrolled_values,
};
pub use observing::{FROM_NOTHING, ON_A_LIVE_NETWORK, look_around};
#[cfg(feature = "admin")]
pub use observing::{Watched, look_around_quietly};
pub use tang::KeyServers;
#[cfg(any(feature = "admin", feature = "fuzzing"))]
pub use tang::{Advertisement, AdvertisementError};
#[cfg(feature = "admin")]
pub use tang::{
    NoReply, Request, Thumbprint, ask_once, enrol_with_server, factor_value, parse_thumbprint,
    recover_once, thumbprint, thumbprint_text,
};
#[cfg(feature = "fuzzing")]
pub use tang::{ReplyReader, parse_answer as parse_server_answer};
#[cfg(test)]
pub use tang::{TestPeer, TestTang, answering_with_another_key};
pub use wire::Neighbours;
#[cfg(feature = "fuzzing")]
pub use wire::{parse_advertisement, parse_arp_reply, parse_arp_sender};
