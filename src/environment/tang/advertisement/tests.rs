//! Advertisements as a key server, a liar and a stranger would write them.

use p256::ecdsa::signature::Signer;
use proptest::prelude::*;

use super::super::exchange::tests::Peer;
use super::super::jwk::exchange_json;
use super::*;

enum Key {
    P256(p256::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

impl Key {
    fn p256(seed: u8) -> Self {
        Self::P256(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    fn p521(seed: u8) -> Self {
        let mut secret = [seed; 66];
        secret[0] = 0;
        Self::P521(p521::ecdsa::SigningKey::from_slice(&secret).unwrap())
    }

    fn public(&self) -> PublicKey {
        let (curve, point) = match self {
            Self::P256(key) => (
                Curve::P256,
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            ),
            Self::P521(key) => (
                Curve::P521,
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            ),
        };
        let point = point.into_iter().collect();
        PublicKey { curve, point }
    }

    fn jwk(&self) -> String {
        let key = self.public();
        let alg = algorithm(key.curve);
        exchange_json(key.curve, &key.point)
            .replace("ECMR", alg)
            .replace("deriveKey", "verify")
    }

    /// `protected` and `signature`.
    fn sign(&self, payload: &str) -> String {
        let alg = algorithm(self.public().curve);
        self.sign_with(
            payload,
            &format!(r#"{{"alg":"{alg}","cty":"jwk-set+json"}}"#),
        )
    }

    fn sign_with(&self, payload: &str, header: &str) -> String {
        let protected = text(header.as_bytes());
        let signed = format!("{protected}.{}", text(payload.as_bytes()));
        let signature = match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(signed.as_bytes());
                text(&signature.to_bytes())
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(signed.as_bytes());
                text(&signature.to_bytes())
            }
        };
        format!(r#""protected":"{protected}","signature":"{signature}""#)
    }
}

fn text(bytes: &[u8]) -> String {
    let mut buffer = vec![0; Base64UrlUnpadded::encoded_len(bytes)];
    Base64UrlUnpadded::encode(bytes, &mut buffer)
        .unwrap()
        .to_owned()
}

fn payload(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn exchange() -> (PublicKey, String) {
    let key = Peer::new(Curve::P521).key();
    let json = exchange_json(Curve::P521, &key.point).to_string();
    (key, json)
}

fn flattened(payload: &str, signature: &str) -> String {
    format!(
        r#"{{"payload":"{}",{signature}}}"#,
        text(payload.as_bytes())
    )
}

fn general(payload: &str, signatures: &[String]) -> String {
    let signatures: Vec<String, 8> = signatures.iter().map(|one| format!("{{{one}}}")).collect();
    format!(
        r#"{{"payload":"{}","signatures":[{}]}}"#,
        text(payload.as_bytes()),
        signatures.join(",")
    )
}

fn read(json: &str) -> Result<Advertisement, AdvertisementError> {
    Advertisement::parse(json.as_bytes(), &[])
}

#[test]
fn both_json_forms_and_both_curves_are_read() {
    let (key, json) = exchange();
    for signer in [Key::p256(1), Key::p521(1)] {
        let payload = payload(&[json.clone(), signer.jwk()]);
        let signature = signer.sign(&payload);
        for json in [
            flattened(&payload, &signature),
            general(&payload, std::slice::from_ref(&signature)),
        ] {
            let found = read(&json).unwrap();
            assert_eq!(found.exchange.first(), Some(&key));
            assert_eq!(found.signing[..], [signer.public()]);
            assert!(found.vouching.is_empty());
        }
    }
}

#[test]
fn every_signing_key_must_have_signed() {
    let (_, json) = exchange();
    let (one, other) = (Key::p521(1), Key::p256(2));
    let two_keys = payload(&[one.jwk(), json.clone(), other.jwk()]);
    let (by_one, by_other) = (one.sign(&two_keys), other.sign(&two_keys));
    let both = general(&two_keys, &[by_other.clone(), by_one.clone()]);
    assert_eq!(read(&both).unwrap().signing.len(), 2);
    let not_signed = Err(AdvertisementError::NotSigned);
    assert_eq!(
        read(&general(&two_keys, std::slice::from_ref(&by_one))),
        not_signed
    );
    assert_eq!(read(&flattened(&two_keys, &by_other)), not_signed);
    assert_eq!(read(&general(&two_keys, &[])), not_signed);
    // Nothing but what was signed may decide how it is checked.
    let claimed = payload(&[one.jwk(), json]);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES512","crit":["exp"]}"#,
    ] {
        let signature = one.sign_with(&claimed, header);
        assert_eq!(
            read(&flattened(&claimed, &signature)),
            not_signed,
            "{header}"
        );
    }
}

#[test]
fn anothers_signing_key_without_its_signature_is_refused() {
    let (_, json) = exchange();
    for (key, liar) in [
        (Key::p521(1), Key::p521(3)),
        (Key::p256(1), Key::p256(3)),
        (Key::p256(1), Key::p521(1)),
    ] {
        let claimed = payload(&[key.jwk(), json.clone()]);
        assert!(read(&flattened(&claimed, &key.sign(&claimed))).is_ok());
        // Its own signature, or the key's over an older list.
        let older = payload(&[key.jwk()]);
        for signature in [liar.sign(&claimed), key.sign(&older)] {
            let found = read(&flattened(&claimed, &signature));
            assert_eq!(found, Err(AdvertisementError::NotSigned));
        }
    }
}

#[test]
fn a_signing_key_that_cannot_be_checked_is_refused() {
    let (_, json) = exchange();
    let signer = Key::p521(1);
    for strange in [
        signer.jwk().replace("P-521", "P-384"),
        signer.jwk().replace("ES512", "ES384"),
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB","key_ops":["verify"]}"#.into(),
    ] {
        let payload = payload(&[json.clone(), signer.jwk(), strange]);
        let found = read(&flattened(&payload, &signer.sign(&payload)));
        assert_eq!(found, Err(AdvertisementError::UnknownAlgorithm));
    }
    let without = |keys: &[String]| {
        let payload = payload(keys);
        read(&flattened(&payload, &signer.sign(&payload)))
    };
    assert_eq!(without(&[signer.jwk()]), Err(AdvertisementError::NoKeys));
    assert_eq!(without(&[json]), Err(AdvertisementError::NoKeys));
    assert_eq!(without(&[]), Err(AdvertisementError::NoKeys));
}

#[test]
fn only_a_known_key_vouches_for_new_ones() {
    let (_, json) = exchange();
    let (old, new, stranger) = (Key::p521(1), Key::p521(2), Key::p521(3));
    let payload = payload(&[new.jwk(), json]);
    let signatures = [new.sign(&payload), old.sign(&payload)];
    let both = general(&payload, &signatures);
    let known = [old.public(), stranger.public()];
    let found = Advertisement::parse(both.as_bytes(), &known).unwrap();
    assert_eq!(found.vouching[..], [old.public()]);
    assert_eq!(found.signing[..], [new.public()]);
    let alone = general(&payload, &signatures[..1]);
    let found = Advertisement::parse(alone.as_bytes(), &known).unwrap();
    assert!(found.vouching.is_empty());
}

#[test]
fn a_changed_letter_anywhere_is_never_read_as_other_keys() {
    let (_, json) = exchange();
    let signer = Key::p256(1);
    let payload = payload(&[signer.jwk(), json]);
    let whole = flattened(&payload, &signer.sign(&payload));
    let right = read(&whole).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        if let Ok(found) = Advertisement::parse(&bytes, &[]) {
            assert_eq!(found, right, "at {at}");
        }
    }
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Advertisement::parse(&bytes, &[]);
        let payload = text(&bytes);
        let json = format!(r#"{{"payload":"{payload}","protected":"e30","signature":"AA"}}"#);
        let _ = read(&json);
    }
}
