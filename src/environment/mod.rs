//! The known-environment fingerprint: what the machine is made of and what
//! stands around it; how a place is enrolled and how it is recognised.

mod arp;
mod binding;
mod choosing;
mod enrolment;
mod factors;
mod hardware;
mod links;
mod look_around;
mod machine;
mod margin;
mod matching;
mod nd;
mod neighbours;
mod own_address;
mod refreshing;
#[cfg(test)]
mod scenarios;
mod second_place;
mod tang;
#[cfg(feature = "admin")]
mod watched;
#[cfg(test)]
mod wire;

#[cfg(feature = "fuzzing")]
pub use arp::{reply as parse_arp_reply, sender as parse_arp_sender};
pub use binding::Refused;
pub use choosing::{
    Choice, Verdict, addresses, choose, count, opens_again, table_of, usual_thresholds,
};
pub use enrolment::{Chosen, EnrolmentError, enrol};
pub use factors::{HOME, Observed, SECOND, address_of, is_server, neighbour_label};
#[cfg(feature = "admin")]
pub use factors::{server_address, server_label};
#[cfg(feature = "admin")]
pub use look_around::look_around_quietly;
pub use look_around::{FROM_NOTHING, ON_A_LIVE_NETWORK, look_around};
pub use machine::observe_machine;
pub use margin::Margin;
pub use matching::{Comparison, Matcher, answered, compare, enough_answered, enrolled_values};
#[cfg(feature = "fuzzing")]
pub use nd::advertisement as parse_advertisement;
pub use neighbours::Neighbours;
pub use refreshing::{Fate, Refreshed, refresh};
pub use second_place::put_beside_home;
pub use tang::KeyServers;
#[cfg(any(feature = "admin", feature = "fuzzing"))]
pub use tang::{Advertisement, AdvertisementError};
#[cfg(feature = "admin")]
pub use tang::{
    NoReply, Request, Strength, Thumbprint, ask_once, enrol_with_server, factor_value, is_public,
    parse_thumbprint, recover_once, strength, thumbprint, thumbprint_text,
};
#[cfg(feature = "fuzzing")]
pub use tang::{ReplyReader, parse_answer as parse_server_answer};
#[cfg(test)]
pub use tang::{TestPeer, TestTang, answering_with_another_key};
#[cfg(feature = "admin")]
pub use watched::Watched;
