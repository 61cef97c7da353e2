//! The known-environment fingerprint: what the machine is made of and what
//! stands around it; how a place is enrolled and how it is recognised.

mod arp;
mod enrolment;
mod hardware;
mod machine;
mod matching;
mod neighbours;
mod observed;
#[cfg(test)]
mod scenarios;

pub use arp::Refused;
#[cfg(feature = "fuzzing")]
pub use arp::reply as parse_arp_reply;
pub use enrolment::{Chosen, EnrolmentError, enrol};
pub use machine::observe_machine;
pub use matching::{Comparison, Matcher, answered, compare, enough_answered};
pub use neighbours::{Neighbours, neighbour_label, suits_enrolment};
pub use observed::Observed;
