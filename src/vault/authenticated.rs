//! Records that carry an HMAC under a key made from the master key.
//!
//! Whoever can write the disk can change them; it is noticed when the master
//! key opens, before anything is released. The theft state alone is also
//! written without the key, with zeroes in place of the HMAC: a strike and a
//! reset come from a server that cannot be opened.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::VaultError;
use super::header::Header;
use super::layout::{BLOCK_SIZE, POLICY, Region, STATE, STICKS};
use super::record::HEAD;
use crate::keys::{CheckValue, MasterKey};

const LABEL: &str = "stayput record authentication v1";
const MAC: usize = 32;

/// A record's content that is kept this way, and where.
pub trait Authenticated: Serialize + DeserializeOwned {
    const REGION: Region;
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

/// What the HMAC is over: which record of which server, and its content.
fn mac_of(key: &MasterKey, header: &Header, kind: u8, content: &[u8]) -> CheckValue {
    let mut context = Vec::with_capacity(21 + content.len());
    context.push(kind);
    context.extend_from_slice(&header.server_id.0);
    context.extend_from_slice(&header.generation.to_le_bytes());
    context.extend_from_slice(content);
    CheckValue::of(&key.derive(LABEL), &context)
}

/// The payload of the record: the HMAC, then the content.
pub fn encode<T: Authenticated>(value: &T, key: &MasterKey, header: &Header) -> Vec<u8> {
    let mut payload = encode_unproven(value);
    let mac = mac_of(key, header, T::REGION.kind, &payload[MAC..]);
    payload[..MAC].copy_from_slice(&mac.0);
    payload
}

/// The payload as it is written without the master key.
pub fn encode_unproven<T: Authenticated>(value: &T) -> Vec<u8> {
    let mut payload = vec![0; T::REGION.blocks as usize * BLOCK_SIZE - HEAD];
    let length = postcard::to_slice(value, &mut payload[MAC..])
        .expect("the largest value fits its region")
        .len();
    payload.truncate(MAC + length);
    payload
}

/// The content, not yet proven.
///
/// # Errors
/// [`VaultError::Damaged`] when it is not such a record's content.
pub fn decode_unproven<T: Authenticated>(payload: &[u8]) -> Result<T, VaultError> {
    let content = payload.get(MAC..).ok_or(VaultError::Damaged)?;
    postcard::from_bytes(content).map_err(|_| VaultError::Damaged)
}

/// Reads these bytes as each of the three, for `fuzz/`.
#[cfg(feature = "fuzzing")]
pub fn read_as_each(payload: &[u8]) {
    let _ = decode_unproven::<crate::theft::TheftState>(payload);
    let _ = decode_unproven::<super::Policy>(payload);
    let _ = decode_unproven::<super::StickList>(payload);
}

/// The content, proven to be what somebody with the master key wrote.
///
/// # Errors
/// [`VaultError::Altered`] when the HMAC does not fit.
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
    fn what_is_written_without_the_key_is_read_back_and_proves_to_nobody() {
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
