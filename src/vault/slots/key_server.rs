//! A key server (Tang) of a place: its address, and the keys that it is asked
//! with. All of that is public; its answer is secret.

use core::net::SocketAddr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Key servers of one place, at most.
pub const MAX_SERVERS: usize = 8;
/// Signing keys that are kept of one server, at most.
pub const MAX_SIGNING: usize = 2;
/// Bytes of an uncompressed point of P-521 (SEC 1, section 2.3.3).
pub const POINT: usize = 1 + 2 * 66;

/// Prefix of a key server's label.
pub const KEY_SERVER: &str = "tang ";

/// Whether a factor's label names a key server.
pub fn is_key_server(label: &str) -> bool {
    label.starts_with(KEY_SERVER)
}

/// A curve of NIST SP 800-186 that keys may be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    /// NIST P-256, coordinates of 32 bytes.
    P256,
    /// NIST P-521, coordinates of 66 bytes.
    P521,
}

impl Curve {
    /// Bytes of a coordinate.
    pub fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P521 => 66,
        }
    }

    /// The point with these coordinates; `None` where one has not the curve's
    /// length. Whether the point is on the curve is not checked.
    pub fn point(self, x: &[u8], y: &[u8]) -> Option<PointBytes> {
        if x.len() != self.coordinate() || y.len() != self.coordinate() {
            return None;
        }
        let mut point = PointBytes::new();
        point.push(4).ok()?;
        point.extend_from_slice(x).ok()?;
        point.extend_from_slice(y).ok()?;
        Some(point)
    }

    /// Both coordinates of a point; `None` where it is compressed or of another
    /// length.
    pub fn coordinates(self, point: &[u8]) -> Option<(&[u8], &[u8])> {
        let (4, both) = point.split_first()? else {
            return None;
        };
        let length = self.coordinate();
        (both.len() == 2 * length).then(|| both.split_at(length))
    }
}

/// An uncompressed point (SEC 1, section 2.3.3): the byte 4, then both
/// coordinates, each padded with zeroes in front.
pub type PointBytes = Vec<u8, POINT>;

/// A public key. Whether the point is on the curve is checked when it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The curve that the point should be on.
    pub curve: Curve,
    /// The point, not yet checked.
    pub point: PointBytes,
}

/// An enrolled key server: its address, and what is kept of the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyServer {
    /// A literal address: the boot stage resolves no names.
    pub address: SocketAddr,
    /// The server's own key for exchanges.
    pub exchange: PublicKey,
    /// Our public point. Its secret part was forgotten.
    pub ours: PointBytes,
    /// The keys that signed its advertisement when it was enrolled. An
    /// advertisement that they sign is of the same server.
    pub signing: Vec<PublicKey, MAX_SIGNING>,
}

#[cfg(test)]
impl KeyServer {
    /// A key server of the greatest encoded length.
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
    fn a_point_is_its_coordinates_behind_a_four() {
        for (curve, length) in [(Curve::P256, 32), (Curve::P521, 66)] {
            let (x, y) = (vec![1; length], vec![2; length]);
            let point = curve.point(&x, &y).unwrap();
            assert_eq!(point[..], [&[4][..], &x, &y].concat());
            assert_eq!(curve.coordinates(&point), Some((&x[..], &y[..])));
            assert_eq!(curve.point(&x[1..], &y), None);
            assert_eq!(curve.point(&x, &y[1..]), None);
            assert_eq!(curve.coordinates(&point[..point.len() - 1]), None);
            let compressed = [&[2][..], &x, &y].concat();
            assert_eq!(curve.coordinates(&compressed), None);
        }
    }

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
