//! What a key server says of its keys, asked for now.

use core::net::SocketAddr;

use crate::environment::{
    Advertisement, AdvertisementError, NoReply, Request, ask_once, thumbprint, thumbprint_text,
};
use crate::vault::PublicKey;

/// Why a server's keys are not known, in words.
pub enum NoKeys {
    Reply(NoReply),
    Status(u16),
    Advertisement(AdvertisementError),
}

impl core::fmt::Display for NoKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Reply(why) => why.fmt(f),
            Self::Status(status) => write!(f, "it answers with the error {status}"),
            Self::Advertisement(why) => why.fmt(f),
        }
    }
}

/// What the server says of its keys; also vouched for by those `known`, which
/// it may have rotated since.
///
/// # Errors
/// [`NoKeys`].
pub fn advertisement(
    address: SocketAddr,
    known: &[PublicKey],
) -> core::result::Result<Advertisement, NoKeys> {
    let get = |path: &str| {
        use core::fmt::Write;
        let mut request = Request::new();
        let written = write!(
            request,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: stayput\r\n\
             Connection: close\r\n\r\n"
        );
        written.expect("a request without a body fits");
        match ask_once(address, &request) {
            Ok(reply) if reply.status == 200 => Ok(reply.body),
            Ok(reply) => Err(NoKeys::Status(reply.status)),
            Err(why) => Err(NoKeys::Reply(why)),
        }
    };
    // Asked for by a key that it does not list any more, it signs with that
    // one as well.
    let vouched = known.iter().find_map(|key| {
        let print = thumbprint_text(&thumbprint(key));
        get(&format!("/adv/{print}")).ok()
    });
    let json = vouched.map_or_else(|| get("/adv"), Ok)?;
    Advertisement::parse(&json, known).map_err(NoKeys::Advertisement)
}
