//! The stations on the same wire: which of them answer, and the address that
//! the server itself has there meanwhile.

mod arp;
mod heard_on;
mod links;
mod manners;
mod nd;
mod neighbours;
mod own_address;
mod questions;
#[cfg(test)]
mod tests;

#[cfg(feature = "fuzzing")]
pub use arp::{reply as parse_arp_reply, sender as parse_arp_sender};
pub use links::Cards;
#[cfg(feature = "fuzzing")]
pub use nd::advertisement as parse_advertisement;
pub use nd::interface_id;
pub use neighbours::Neighbours;
