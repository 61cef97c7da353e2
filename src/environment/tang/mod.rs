//! Key servers (Tang): each holds a secret without which an enrolled value
//! cannot be computed again. How they are asked, and how their answers are
//! read.

#[cfg(feature = "admin")]
mod advertisement;
mod asking;
mod conversation;
mod exchange;
mod http;
mod jwk;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

pub use asking::KeyServers;

#[cfg(feature = "admin")]
pub use asking::{ask_once, factor_value, recover_once};
#[cfg(feature = "admin")]
pub use conversation::{HttpRequest, NoReply};
#[cfg(feature = "admin")]
pub use exchange::enrol as enrol_with_server;
#[cfg(feature = "admin")]
pub use jwk::{Thumbprint, parse_thumbprint, thumbprint, thumbprint_text};

#[cfg(feature = "admin")]
pub use advertisement::{Advertisement, AdvertisementError};
#[cfg(feature = "fuzzing")]
pub use http::ReplyReader;
#[cfg(feature = "fuzzing")]
pub use jwk::parse_answer;

#[cfg(test)]
pub use exchange::tests::Peer as TestPeer;
#[cfg(test)]
pub use test_server::{
    Tang as TestTang, answering_with, answering_with_another_key, serve as serve_each,
};
