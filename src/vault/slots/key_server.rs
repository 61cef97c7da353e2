//! A key server (Tang) of a place: where it is, and what it is asked with. All
//! of it is public; what it answers is not.

use core::net::SocketAddr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Key servers of one place, at most.
pub const MAX_SERVERS: usize = 8;
/// Signing keys that are remembered of one server, at most.
pub const MAX_SIGNING: usize = 2;
/// Bytes of an uncompressed point of P-521 (SEC 1, section 2.3.3).
pub const POINT: usize = 1 + 2 * 66;

/// A curve of NIST SP 800-186 that keys may be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    /// NIST P-256, coordinates of 32 bytes.
    P256,
    /// NIST P-521, coordinates of 66 bytes.
    P521,
}

/// A point as SEC 1 writes it without compression: 4, then both coordinates,
/// each padded with zeroes in front.
pub type PointBytes = Vec<u8, POINT>;

/// Somebody's public key. Whether it is on the curve is seen when it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The curve that the point should be on.
    pub curve: Curve,
    /// The point, not yet checked.
    pub point: PointBytes,
}

/// An enrolled key server: where it is and what is kept of the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyServer {
    /// Literal: the boot stage resolves no names.
    pub address: SocketAddr,
    /// The server's own key for exchanges.
    pub exchange: PublicKey,
    /// Ours, of which nobody has kept the secret part.
    pub ours: PointBytes,
    /// Keys that signed its advertisement when it was enrolled: by them the
    /// next one is known to be of the same server.
    pub signing: Vec<PublicKey, MAX_SIGNING>,
}

#[cfg(test)]
impl KeyServer {
    /// One in which everything is as long as it can be.
    pub fn largest() -> Self {
        let point: PointBytes = [0xff; POINT].into_iter().collect();
        let curve = Curve::P521;
        let key = PublicKey {
            curve,
            point: point.clone(),
        };
        Self {
            address: SocketAddr::new([0xffff; 8].into(), u16::MAX),
            exchange: key.clone(),
            ours: point,
            signing: (0..MAX_SIGNING).map(|_| key.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_server_is_written_as_the_format_says() {
        let key = |first: u8| PublicKey {
            curve: Curve::P256,
            point: [4, first].into_iter().collect(),
        };
        let server = KeyServer {
            address: "10.0.0.5:80".parse().unwrap(),
            exchange: key(1),
            ours: [4, 2].into_iter().collect(),
            signing: [key(3)].into_iter().collect(),
        };
        let mut buffer = [0; 64];
        let bytes = postcard::to_slice(&server, &mut buffer).unwrap();
        let expected = [
            0, 10, 0, 0, 5, 80, // the address
            0, 2, 4, 1, // exchange
            2, 4, 2, // ours
            1, 0, 2, 4, 3, // signing
        ];
        assert_eq!(bytes, expected);
        assert_eq!(postcard::from_bytes::<KeyServer>(bytes).unwrap(), server);
        let mut buffer = [0; 1024];
        let largest = KeyServer::largest();
        let length = postcard::to_slice(&largest, &mut buffer).unwrap().len();
        assert_eq!(length, 1 + 16 + 3 + 136 + 135 + 1 + 2 * 136);
    }
}
