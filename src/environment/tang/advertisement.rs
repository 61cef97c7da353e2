//! The advertisement of a key server: its keys, signed by its signing keys (RFC
//! 7515, flattened or general JSON; RFC 7517, section 5). Pure.

use core::fmt::{self, Display, Formatter};

use base64ct::{Base64UrlUnpadded, Encoding};
use heapless::Vec;
use p256::ecdsa::signature::Verifier;
use serde::Deserialize;

use super::http::MAX_REPLY;
use super::jwk::{Jwk, Thumbprint, parse, thumbprint};
use crate::vault::{Curve, PublicKey};

/// Keys or signatures in one advertisement, at most.
const MAX_KEYS: usize = 16;

/// Why an advertisement is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertisementError {
    /// It is not an advertisement.
    Malformed,
    /// A signing key has an algorithm that is not known here.
    UnknownAlgorithm,
    /// The signature of a signing key is missing or wrong.
    NotSigned,
    /// It has no signing key, or no key for exchanges.
    NoKeys,
}

impl Display for AdvertisementError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "what it sends is no advertisement of keys",
            Self::UnknownAlgorithm => {
                "it has signing keys of a kind that is not known here (ES512 and ES256 are)"
            }
            Self::NotSigned => "one of its signatures is missing or wrong",
            Self::NoKeys => "it has no keys to sign with, or none for exchanges on P-521 or P-256",
        })
    }
}

#[derive(Deserialize)]
struct Jws<'a> {
    payload: &'a str,
    #[serde(default, borrow)]
    protected: Option<&'a str>,
    #[serde(default, borrow)]
    signature: Option<&'a str>,
    #[serde(default, borrow)]
    signatures: Vec<Signature<'a>, MAX_KEYS>,
}

#[derive(Deserialize)]
struct Signature<'a> {
    protected: &'a str,
    signature: &'a str,
}

/// The part of a signature's header that is signed.
#[derive(Deserialize)]
struct Protected<'a> {
    alg: &'a str,
    /// Extensions that must be understood (RFC 7515, section 4.1.11); none is.
    #[serde(default, borrow)]
    crit: Option<Vec<&'a str, 8>>,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    keys: Vec<Jwk<'a>, MAX_KEYS>,
}

/// The keys of a server. Every signing key among them has signed the
/// advertisement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// Signing keys (`verify`).
    pub signing: Vec<PublicKey, MAX_KEYS>,
    /// Keys for exchanges (`deriveKey`, ECMR).
    pub exchange: Vec<PublicKey, MAX_KEYS>,
    /// Known keys, enrolled earlier, that have signed this advertisement. The
    /// server need not list them any more.
    pub vouching: Vec<PublicKey, MAX_KEYS>,
}

fn algorithm(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "ES256",
        Curve::P521 => "ES512",
    }
}

impl Advertisement {
    /// Parses an advertisement, checks the signature of each of its signing
    /// keys, and finds out which of the `known` keys have signed it too.
    ///
    /// # Errors
    /// [`AdvertisementError`].
    pub fn parse(json: &[u8], known: &[PublicKey]) -> Result<Self, AdvertisementError> {
        use AdvertisementError as E;
        let jws: Jws<'_> = parse(json).ok_or(E::Malformed)?;
        let mut signatures: Vec<Signature<'_>, MAX_KEYS> = jws.signatures;
        match (jws.protected, jws.signature) {
            (Some(protected), Some(signature)) if signatures.is_empty() => {
                let _ = signatures.push(Signature {
                    protected,
                    signature,
                });
            }
            (None, None) => {}
            _ => return Err(E::Malformed),
        }
        let mut buffer = [0; MAX_REPLY];
        let payload =
            Base64UrlUnpadded::decode(jws.payload, &mut buffer).map_err(|_| E::Malformed)?;
        let Keys { keys } = parse(payload).ok_or(E::Malformed)?;
        let is_signed_by = |key: &PublicKey| {
            let mut signatures = signatures.iter();
            signatures.any(|signature| signature.is_by(key, jws.payload))
        };
        let mut found = Self {
            signing: Vec::new(),
            exchange: Vec::new(),
            vouching: Vec::new(),
        };
        for jwk in &keys {
            let is_for = |what| jwk.key_ops.contains(&what);
            if is_for("verify") {
                let key = jwk.public_key().map_err(|_| E::UnknownAlgorithm)?;
                if jwk.alg.is_some_and(|alg| alg != algorithm(key.curve)) {
                    return Err(E::UnknownAlgorithm);
                }
                if !is_signed_by(&key) {
                    return Err(E::NotSigned);
                }
                let _ = found.signing.push(key);
            } else if is_for("deriveKey")
                && jwk.alg.is_none_or(|alg| alg == "ECMR")
                && let Ok(key) = jwk.public_key()
            {
                let _ = found.exchange.push(key);
            }
        }
        if found.signing.is_empty() || found.exchange.is_empty() {
            return Err(E::NoKeys);
        }
        let vouching = known.iter().filter(|key| is_signed_by(key));
        found.vouching = vouching.take(MAX_KEYS).cloned().collect();
        Ok(found)
    }

    /// Parses an advertisement with this payload and an empty signature, so
    /// that fuzzing reaches the payload.
    #[cfg(feature = "fuzzing")]
    pub fn with_payload(payload: &[u8]) -> Result<Self, AdvertisementError> {
        let mut buffer = vec![0; Base64UrlUnpadded::encoded_len(payload)];
        let Ok(payload) = Base64UrlUnpadded::encode(payload, &mut buffer) else {
            return Err(AdvertisementError::Malformed);
        };
        let json = format!(
            r#"{{"payload":"{payload}","protected":"eyJhbGciOiJFUzI1NiJ9","signature":""}}"#
        );
        Self::parse(json.as_bytes(), &[])
    }

    /// The thumbprints of the signing keys.
    pub fn thumbprints(&self) -> impl Iterator<Item = Thumbprint> {
        self.signing.iter().map(thumbprint)
    }
}

impl Signature<'_> {
    fn is_by(&self, key: &PublicKey, payload: &str) -> bool {
        self.check(key, payload).is_some()
    }

    fn check(&self, key: &PublicKey, payload: &str) -> Option<()> {
        let mut buffer = [0; 512];
        let header = Base64UrlUnpadded::decode(self.protected, &mut buffer).ok()?;
        let header: Protected<'_> = parse(header)?;
        if header.alg != algorithm(key.curve) || header.crit.is_some() {
            return None;
        }
        let mut buffer = [0; 132];
        let signature = Base64UrlUnpadded::decode(self.signature, &mut buffer).ok()?;
        let signed = [self.protected, ".", payload].concat();
        let signed = signed.as_bytes();
        match key.curve {
            Curve::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&key.point).ok()?;
                let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
                key.verify(signed, &signature).ok()
            }
            Curve::P521 => {
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&key.point).ok()?;
                let signature = p521::ecdsa::Signature::from_slice(signature).ok()?;
                key.verify(signed, &signature).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests;
