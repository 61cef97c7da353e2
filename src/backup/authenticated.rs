//! The frame around what is kept of backups: a mark, a length, an HMAC, and the payload.
//! Nothing of the payload is looked at before the HMAC was right.

use core::fmt;

use hmac::Mac;

use super::keys::ManifestKey;

/// Bytes before the payload.
pub const HEAD: usize = 48;
/// Bytes that the HMAC covers besides the payload: mark, version, zeros and length.
const COVERED: usize = 16;
const VERSION: u8 = 1;

/// Why bytes are not the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAuthentic {
    /// They are none of this kind, or cut.
    Cut,
    /// A newer version of stayput has written them.
    Newer,
    /// Somebody without this server's key has written or changed them.
    Forged,
    /// The HMAC is right and the payload makes no sense: a fault of ours.
    Malformed,
}

impl fmt::Display for NotAuthentic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "it is cut or damaged",
            Self::Newer => "a newer version of stayput has made it",
            Self::Forged => {
                "it was not made, or was changed, by somebody without this server's key"
            }
            Self::Malformed => "it makes no sense",
        })
    }
}

/// Puts the frame around a payload.
pub fn close(mark: &[u8; 8], payload: &[u8], key: &ManifestKey) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("payloads are bounded");
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend(mark);
    bytes.extend([VERSION, 0, 0, 0]);
    bytes.extend(length.to_le_bytes());
    let mut mac = key.mac();
    mac.update(&bytes);
    mac.update(payload);
    bytes.extend(mac.finalize().into_bytes());
    bytes.extend(payload);
    bytes
}

/// The payload of `max` bytes at most, if the owner has written it.
///
/// # Errors
/// [`NotAuthentic`].
pub fn open<'a>(
    mark: &[u8; 8],
    bytes: &'a [u8],
    max: usize,
    key: &ManifestKey,
) -> Result<&'a [u8], NotAuthentic> {
    let (head, payload) = bytes.split_at_checked(HEAD).ok_or(NotAuthentic::Cut)?;
    if head[..8] != mark[..] || payload.len() > max {
        return Err(NotAuthentic::Cut);
    }
    let claimed = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    if claimed as usize != payload.len() {
        return Err(NotAuthentic::Cut);
    }
    let mut mac = key.mac();
    mac.update(&head[..COVERED]);
    mac.update(payload);
    let is_ours = mac.verify_slice(&head[COVERED..]).is_ok();
    match (is_ours, head[8]) {
        (true, VERSION) => Ok(payload),
        // A later version may have another key.
        (_, version) if version > VERSION => Err(NotAuthentic::Newer),
        _ => Err(NotAuthentic::Forged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Secret32;

    const MARK: &[u8; 8] = b"STAYPUTX";

    fn key(byte: u8) -> ManifestKey {
        ManifestKey::from_released(Secret32::new([byte; 32]))
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let bytes = close(MARK, b"forty rows", &key(1));
        let opened = open(MARK, &bytes, 100, &key(1));
        assert_eq!(opened, Ok(&b"forty rows"[..]));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(open(MARK, &changed, 100, &key(1)).is_err(), "byte {at}");
            assert!(open(MARK, &bytes[..at], 100, &key(1)).is_err(), "cut {at}");
        }
    }

    #[test]
    fn only_the_owners_key_opens_and_only_as_its_kind() {
        let bytes = close(MARK, b"rows", &key(1));
        let forged = open(MARK, &bytes, 100, &key(2));
        assert_eq!(forged, Err(NotAuthentic::Forged));
        let other = open(b"STAYPUTY", &bytes, 100, &key(1));
        assert_eq!(other, Err(NotAuthentic::Cut));
        assert_eq!(open(MARK, &bytes, 3, &key(1)), Err(NotAuthentic::Cut));
    }

    #[test]
    fn what_a_newer_version_made_is_not_called_forged() {
        let mut bytes = close(MARK, b"rows", &key(1));
        bytes[8] = 2;
        assert_eq!(open(MARK, &bytes, 100, &key(1)), Err(NotAuthentic::Newer));
    }
}
