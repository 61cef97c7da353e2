//! What both enrolling and recognising a place speak of: the names of factors
//! and what was observed of them. Pure.

mod labels;
mod observed;
mod place_names;

#[cfg(feature = "admin")]
pub use labels::server_address;
pub use labels::{address_of, is_server, neighbour_label, server_label};
pub use observed::{Observed, value_of};
pub use place_names::{HOME, SECOND};
