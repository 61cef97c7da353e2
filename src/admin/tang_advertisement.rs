//! Fetches the list of keys that a key server advertises.

use core::net::SocketAddr;

use crate::environment::{
    Advertisement, AdvertisementError, HttpRequest, NoReply, ask_once, thumbprint, thumbprint_text,
};
use crate::vault::PublicKey;

/// Why there is no list of keys.
pub enum AdvertisementFailure {
    Reply(NoReply),
    Status(u16),
    Advertisement(AdvertisementError),
}

impl core::fmt::Display for AdvertisementFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Reply(why) => why.fmt(f),
            Self::Status(status) => write!(f, "it answers with the error {status}"),
            Self::Advertisement(why) => why.fmt(f),
        }
    }
}

/// Fetches the server's list of keys. Signatures of the `known` signing keys are
/// checked too: the server may have rotated these since.
///
/// # Errors
/// [`AdvertisementFailure`].
pub fn fetch_advertisement(
    address: SocketAddr,
    known: &[PublicKey],
) -> core::result::Result<Advertisement, AdvertisementFailure> {
    let get = |path: &str| {
        use core::fmt::Write;
        let mut request = HttpRequest::new();
        let written = write!(
            request,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: stayput\r\n\
             Connection: close\r\n\r\n"
        );
        written.expect("a request without a body fits");
        match ask_once(address, &request) {
            Ok(reply) if reply.status == 200 => Ok(reply.body),
            Ok(reply) => Err(AdvertisementFailure::Status(reply.status)),
            Err(why) => Err(AdvertisementFailure::Reply(why)),
        }
    };
    // Asked for with a rotated key's thumbprint, the server signs with that key
    // as well.
    let vouched = known.iter().find_map(|key| {
        let print = thumbprint_text(&thumbprint(key));
        get(&format!("/adv/{print}")).ok()
    });
    let json = vouched.map_or_else(|| get("/adv"), Ok)?;
    Advertisement::parse(&json, known).map_err(AdvertisementFailure::Advertisement)
}
