//! Key servers (Tang): each holds a secret of its own, without which a value
//! that was enrolled cannot be computed again. What they are asked, and how
//! their answers are read.

#[cfg(any(feature = "admin", feature = "fuzzing"))]
mod advertisement;
mod asking;
mod conversation;
mod exchange;
mod http;
mod jwk;
mod label;
#[cfg(test)]
mod real_tests;

#[cfg(any(feature = "admin", feature = "fuzzing"))]
pub use advertisement::{Advertisement, AdvertisementError};
pub use asking::{KeyServers, UNKNOWN_KEY, factor_value};
#[cfg(feature = "admin")]
pub use asking::{ask_once, recover_once};
#[cfg(feature = "admin")]
pub use conversation::{NoReply, Request};
#[cfg(feature = "admin")]
pub use exchange::enrol as enrol_with_server;
#[cfg(feature = "fuzzing")]
pub use http::ReplyReader;
pub use jwk::Thumbprint;
#[cfg(feature = "fuzzing")]
pub use jwk::parse_answer;
#[cfg(feature = "admin")]
pub use jwk::{parse_thumbprint, thumbprint, thumbprint_text};
pub use label::{is_server, server_address, server_label};
