//! The known-environment fingerprint: what the machine is made of and what
//! stands around it; how a place is enrolled and how it is recognised.

mod arp;
mod choosing;
mod enrolment;
mod hardware;
mod look_around;
mod machine;
mod matching;
mod neighbours;
mod observed;
#[cfg(test)]
mod scenarios;
#[cfg(feature = "admin")]
mod watched;

pub use arp::Refused;
#[cfg(feature = "fuzzing")]
pub use arp::reply as parse_arp_reply;
pub use choosing::{
    Choice, HOME, Verdict, addresses, choose, count, opens_again, table_of, usual_thresholds,
};
pub use enrolment::{Chosen, EnrolmentError, enrol};
#[cfg(feature = "admin")]
pub use look_around::look_around_quietly;
pub use look_around::{FROM_NOTHING, ON_A_LIVE_NETWORK, look_around};
pub use machine::observe_machine;
pub use matching::{Comparison, Matcher, answered, compare, enough_answered};
pub use neighbours::{Neighbours, neighbour_label};
pub use observed::Observed;
#[cfg(feature = "admin")]
pub use watched::Watched;
