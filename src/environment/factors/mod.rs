//! Labels of factors and the values observed, as enrolling and recognising a
//! place both need them. Pure.

mod attachment;
mod labels;
mod observed;
mod place_names;
mod unknown_key;

pub use attachment::Attachment;
#[cfg(feature = "admin")]
pub use labels::server_address;
pub use labels::{address_of, is_asked, neighbour_label, server_label};
pub use observed::{Observed, value_of};
pub use place_names::{HOME, SECOND};
pub use unknown_key::{UNKNOWN_KEY, is_unknown_key};
