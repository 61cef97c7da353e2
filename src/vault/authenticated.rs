//! Records that carry an HMAC under a key made from the master key.
//!
//! Whoever can write to the disk can change these records. That is noticed once
//! the master key is known, before anything is released. Only the theft state
//! is also written without the key, with zeroes in place of the HMAC: strikes
//! and resets happen on a server that cannot be opened.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::VaultError;
use super::header::Header;
use super::layout::{BLOCK_SIZE, POLICY, Region, STATE, STICKS, WAYS};
use super::record::HEAD;
use crate::keys::{CheckValue, MasterKey};

const LABEL: &str = "stayput record authentication v1";
const MAC: usize = 32;

/// The content of an authenticated record.
pub trait Authenticated: Serialize + DeserializeOwned {
    /// Where the record is stored.
    const REGION: Region;
    /// Whether zeroes fill it up to the end of its region, so that a shorter one leaves
    /// nothing behind of the one before.
    const FILLS_REGION: bool = false;
}

impl Authenticated for crate::theft::TheftState {
    const REGION: Region = STATE;
}

impl Authenticated for super::Policy {
    const REGION: Region = POLICY;
}

impl Authenticated for super::StickList {
    const REGION: Region = STICKS;
}

impl Authenticated for super::Ways {
    const REGION: Region = WAYS;
    // Who has an earlier master key must not find a way key sealed under it.
    const FILLS_REGION: bool = true;
}

/// The HMAC of a record: over its kind, the server's id and generation, and the
/// content.
fn mac_of(key: &MasterKey, header: &Header, kind: u8, content: &[u8]) -> CheckValue {
    let mut context = Vec::with_capacity(21 + content.len());
    context.push(kind);
    context.extend_from_slice(&header.server_id.0);
    context.extend_from_slice(&header.generation.to_le_bytes());
    context.extend_from_slice(content);
    CheckValue::of(&key.derive(LABEL), &context)
}

/// The payload of an authenticated record: the HMAC, then the content.
pub fn encode<T: Authenticated>(value: &T, key: &MasterKey, header: &Header) -> Vec<u8> {
    let mut payload = encode_unproven(value);
    let mac = mac_of(key, header, T::REGION.kind, &payload[MAC..]);
    payload[..MAC].copy_from_slice(&mac.0);
    payload
}

/// The payload of a record written without the master key: zeroes, then the
/// content.
pub fn encode_unproven<T: Authenticated>(value: &T) -> Vec<u8> {
    let mut payload = vec![0; T::REGION.blocks as usize * BLOCK_SIZE - HEAD];
    let length = postcard::to_slice(value, &mut payload[MAC..])
        .expect("the largest value fits its region")
        .len();
    if !T::FILLS_REGION {
        payload.truncate(MAC + length);
    }
    payload
}

/// Whether a record says itself that it was written without the master key.
pub fn is_unproven(payload: &[u8]) -> bool {
    payload.get(..MAC).is_some_and(|mac| mac == [0; MAC])
}

/// Reads the content without checking the HMAC.
///
/// # Errors
/// [`VaultError::Damaged`] when it cannot be decoded.
pub fn decode_unproven<T: Authenticated>(payload: &[u8]) -> Result<T, VaultError> {
    let content = payload.get(MAC..).ok_or(VaultError::Damaged)?;
    postcard::from_bytes(content).map_err(|_| VaultError::Damaged)
}

/// Reads these bytes as each of the authenticated records, for `fuzz/`.
#[cfg(feature = "fuzzing")]
pub fn read_as_each(payload: &[u8]) {
    let _ = decode_unproven::<crate::theft::TheftState>(payload);
    let _ = decode_unproven::<super::Policy>(payload);
    let _ = decode_unproven::<super::StickList>(payload);
    let _ = decode_unproven::<super::Ways>(payload);
}

/// Reads the content after checking its HMAC under `key`.
///
/// # Errors
/// [`VaultError::Altered`] when the HMAC is wrong; [`VaultError::Damaged`] when
/// the content cannot be decoded.
pub fn decode<T: Authenticated>(
    payload: &[u8],
    key: &MasterKey,
    header: &Header,
) -> Result<T, VaultError> {
    let (mac, content) = payload.split_at_checked(MAC).ok_or(VaultError::Damaged)?;
    let mac = CheckValue(mac.try_into().map_err(|_| VaultError::Damaged)?);
    let expected = mac_of(key, header, T::REGION.kind, content);
    if !bool::from(subtle::ConstantTimeEq::ct_eq(&expected.0[..], &mac.0[..])) {
        return Err(VaultError::Altered);
    }
    decode_unproven(payload)
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, StickList};
    use super::*;
    use crate::theft::TheftState;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_unproven::<TheftState>(&bytes);
            let _ = decode_unproven::<Policy>(&bytes);
            let _ = decode_unproven::<StickList>(&bytes);
        }
    }

    #[test]
    fn a_record_written_without_the_key_is_never_proven() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let state = TheftState::Suspect {
            strikes: 255,
            boot_id: [0xff; 16],
        };
        let payload = encode_unproven(&state);
        assert_eq!(decode_unproven(&payload), Ok(state));
        let proven = decode::<TheftState>(&payload, &key, &header);
        assert_eq!(proven, Err(VaultError::Altered));
    }
}
