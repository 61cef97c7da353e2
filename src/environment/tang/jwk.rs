//! JSON Web Keys on elliptic curves (RFC 7517, RFC 7518 section 6.2), as key
//! servers exchange them.

use core::fmt::Write;

use base64ct::{Base64UrlUnpadded, Encoding};
use heapless::String;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::exchange::{BadPoint, check_point};
use crate::vault::{Curve, POINT, PointBytes, PublicKey};

/// SHA-256 of a key's required members (RFC 7638).
pub type Thumbprint = [u8; 32];

/// Letters of a coordinate of 66 bytes in base64url.
const COORDINATE: usize = 88;
/// A key in JSON, at most.
const JSON: usize = 320;

/// The members of a key that are read; others are ignored.
#[derive(Deserialize)]
pub(super) struct Jwk<'a> {
    /// Kind of key (RFC 7517, section 4.1). Only `EC` is used.
    pub kty: &'a str,
    /// The curve (RFC 7518, section 6.2.1.1): `P-256` or `P-521`.
    #[serde(default, borrow)]
    pub crv: Option<&'a str>,
    /// The algorithm that the key is for (RFC 7517, section 4.4).
    #[cfg(feature = "admin")]
    #[serde(default, borrow)]
    pub alg: Option<&'a str>,
    /// The point's x in base64url, padded to the curve's length.
    #[serde(default, borrow)]
    pub x: Option<&'a str>,
    /// The point's y, written as `x` is.
    #[serde(default, borrow)]
    pub y: Option<&'a str>,
    /// What the key is for: `verify`, `deriveKey` ... (RFC 7517, section 4.3).
    #[cfg(feature = "admin")]
    #[serde(default, borrow)]
    pub key_ops: heapless::Vec<&'a str, 8>,
}

impl Jwk<'_> {
    /// The key on one of the two known curves.
    ///
    /// # Errors
    /// [`BadPoint`] for another kind of key, or a point that is not on its
    /// curve.
    pub fn public_key(&self) -> Result<PublicKey, BadPoint> {
        let (Some(crv), Some(x), Some(y)) = (self.crv, self.x, self.y) else {
            return Err(BadPoint);
        };
        let curve = match (self.kty, crv) {
            ("EC", "P-256") => Curve::P256,
            ("EC", "P-521") => Curve::P521,
            _ => return Err(BadPoint),
        };
        let (mut x_bytes, mut y_bytes) = ([0; COORDINATE], [0; COORDINATE]);
        let x = Base64UrlUnpadded::decode(x, &mut x_bytes).map_err(|_| BadPoint)?;
        let y = Base64UrlUnpadded::decode(y, &mut y_bytes).map_err(|_| BadPoint)?;
        let point = curve.point(x, y).ok_or(BadPoint)?;
        check_point(curve, &point)?;
        Ok(PublicKey { curve, point })
    }
}

/// The key in the answer to an exchange.
///
/// # Errors
/// [`BadPoint`] where it holds no key on a known curve.
pub fn parse_answer(json: &[u8]) -> Result<PublicKey, BadPoint> {
    parse::<Jwk<'_>>(json)
        .ok_or(BadPoint)
        .and_then(|jwk| jwk.public_key())
}

/// Parses one JSON value with nothing behind it; `None` where it is none, or
/// nested deeper than 8 levels, which would take stack.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    const DEPTH: i32 = 8;
    let mut depth = 0;
    for byte in json {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth > DEPTH {
            return None;
        }
    }
    let (value, read) = serde_json_core::from_slice(json).ok()?;
    json[read..].trim_ascii().is_empty().then_some(value)
}

fn base64(bytes: &[u8]) -> String<COORDINATE> {
    let mut buffer = [0; COORDINATE];
    let text = Base64UrlUnpadded::encode(bytes, &mut buffer).expect("a coordinate or a digest");
    text.try_into().expect("as long as the buffer at most")
}

/// The JSON of the point that is sent in an exchange.
pub fn exchange_json(curve: Curve, point: &PointBytes) -> String<JSON> {
    let members = ec_members(curve, point);
    let mut json = String::new();
    let written = write!(
        json,
        r#"{{"alg":"ECMR","crv":"{}","key_ops":["deriveKey"],"kty":"EC","x":"{}","y":"{}"}}"#,
        members[0].1, members[2].1, members[3].1
    );
    written.expect("a key of the largest curve fits");
    json
}

type Member = (&'static str, String<COORDINATE>);

/// The members that a thumbprint is computed from, in the order of their names.
fn ec_members(curve: Curve, point: &PointBytes) -> [Member; 4] {
    let (x, y) = curve.coordinates(point).unwrap_or_default();
    let text = |text: &str| text.try_into().expect("a short name fits");
    let crv = match curve {
        Curve::P256 => "P-256",
        Curve::P521 => "P-521",
    };
    [
        ("crv", text(crv)),
        ("kty", text("EC")),
        ("x", base64(x)),
        ("y", base64(y)),
    ]
}

/// The thumbprint of members (RFC 7638, section 3): SHA-256 of their JSON
/// without white space.
fn thumbprint_of<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> Thumbprint {
    let mut digest = Sha256::new();
    let mut before = "{";
    for (name, value) in members {
        for part in [before, "\"", name, "\":\"", value, "\""] {
            digest.update(part.as_bytes());
        }
        before = ",";
    }
    digest.update(b"}");
    digest.finalize().into()
}

/// The thumbprint of a key (RFC 7638, SHA-256), which `tang-show-keys` prints.
pub fn thumbprint(key: &PublicKey) -> Thumbprint {
    let members = ec_members(key.curve, &key.point);
    thumbprint_of(members.iter().map(|(name, value)| (*name, value.as_str())))
}

/// The thumbprint in base64url, 43 letters, as people compare it and servers
/// are asked with it.
pub fn thumbprint_text(thumbprint: &Thumbprint) -> String<43> {
    base64(thumbprint).as_str().try_into().expect("43 letters")
}

/// Reads a thumbprint in base64url; `None` for anything but 43 letters of it.
#[cfg(feature = "admin")]
pub fn parse_thumbprint(text: &str) -> Option<Thumbprint> {
    let mut bytes = [0; 32];
    let read = Base64UrlUnpadded::decode(text.trim(), &mut bytes).ok()?;
    (read.len() == 32).then_some(bytes)
}

const _: () = assert!(POINT == 1 + 2 * 66 && COORDINATE == 66 * 4 / 3);

#[cfg(test)]
mod tests {
    use super::super::exchange::tests::{CURVES, Peer};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_thumbprint_comes_out() {
        // RFC 7638 section 3.1.
        let n = concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1",
            "L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4",
            "QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO",
            "pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF",
            "Cur-kEgU8awapJzKnqDKgw",
        );
        let digest = thumbprint_of([("e", "AQAB"), ("kty", "RSA"), ("n", n)]);
        assert_eq!(
            thumbprint_text(&digest),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert_eq!(parse_thumbprint(&thumbprint_text(&digest)), Some(digest));
        assert_eq!(parse_thumbprint("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAf"), None);
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for curve in CURVES {
            let key = Peer::new(curve).key();
            let json = exchange_json(curve, &key.point);
            assert_eq!(parse_answer(json.as_bytes()), Ok(key));
        }
    }

    #[test]
    fn coordinates_that_are_short_or_not_on_the_curve_are_refused() {
        let key = Peer::new(Curve::P256).key();
        let (x, y) = Curve::P256.coordinates(&key.point).unwrap();
        let json = |crv: &str, x: &[u8], y: &[u8]| {
            let (x, y) = (base64(x), base64(y));
            format!(r#"{{"kty":"EC","crv":"{crv}","x":"{x}","y":"{y}","other":[1,{{}}]}}"#)
        };
        let read = |json: &str| parse_answer(json.as_bytes());
        assert_eq!(read(&json("P-256", x, y)), Ok(key.clone()));
        for wrong in [
            json("P-256", &x[1..], y),
            json("P-256", x, x),
            json("P-256", &[0; 32], &[0; 32]),
            json("P-256", &[], &[]),
            json("P-521", x, y),
            json("P-384", x, y),
            json("P-256", x, y) + "x",
            json("P-256", x, y).replace("\"EC\"", "\"OKP\""),
            format!("{}{}", "[".repeat(9), "]".repeat(9)),
            "[".repeat(16_384),
        ] {
            assert_eq!(read(&wrong), Err(BadPoint), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn foreign_json_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse_answer(&bytes);
        }

        #[test]
        fn a_key_with_anything_in_it_is_refused_or_on_its_curve(
            x in "[A-Za-z0-9_-]{43}", y in "[A-Za-z0-9_-]{43}",
        ) {
            let json = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
            if let Ok(key) = parse_answer(json.as_bytes()) {
                prop_assert_eq!(check_point(Curve::P256, &key.point), Ok(()));
            }
        }
    }
}
