//! The format of a record: a head of 64 bytes and a payload, in one or more
//! blocks.

use sha2::{Digest, Sha256};

use super::layout::{BLOCK_SIZE, Region};

const MAGIC: [u8; 4] = *b"SPUT";
/// Version of this framing and of every payload in it.
pub const FORMAT_VERSION: u8 = 4;
/// Bytes of a record's head.
pub const HEAD: usize = 64;

/// Why a copy of a record is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is no record, or it is torn or changed.
    Damaged,
    /// It is whole, but of a newer version of stayput.
    Newer,
    /// Whole, and in a format that is not read any more.
    Older,
}

/// A valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Counts the writes of this record, from 1.
    pub sequence: u64,
    /// The content.
    pub payload: &'a [u8],
    /// Over the sequence number and the content.
    pub digest: [u8; 32],
}

fn digest(head: &[u8], payload: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(head)
        .chain_update(payload)
        .finalize()
        .into()
}

/// Bytes of a payload in `region`, at most.
pub const fn capacity(region: Region) -> usize {
    region.bytes() - HEAD
}

/// Blocks that a payload of `length` bytes takes.
pub const fn blocks_for(length: usize) -> u32 {
    (HEAD + length).div_ceil(BLOCK_SIZE) as u32
}

/// Blocks of the record that begins with `first_block`, according to its head;
/// never more than `region` has.
pub fn blocks_of(region: Region, first_block: &[u8]) -> u32 {
    let length = length_of(first_block).map_or(0, |length| length as usize);
    blocks_for(length.min(capacity(region)))
}

/// The length of the payload in a head.
fn length_of(head: &[u8]) -> Option<u32> {
    let bytes = head.get(16..20)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Encodes a record into `buffer` and fills the rest with zeroes.
///
/// # Panics
/// If the payload is longer than [`capacity`]. All stored types have a fixed
/// capacity that fits.
pub fn encode(region: Region, sequence: u64, payload: &[u8], buffer: &mut [u8]) {
    assert!(
        payload.len() <= capacity(region),
        "a record fits its region"
    );
    buffer.fill(0);
    let (head, rest) = buffer.split_at_mut(HEAD);
    head[..4].copy_from_slice(&MAGIC);
    head[4] = region.kind;
    head[5] = FORMAT_VERSION;
    head[8..16].copy_from_slice(&sequence.to_le_bytes());
    head[16..20].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    rest[..payload.len()].copy_from_slice(payload);
    let digest = digest(&head[..32], payload);
    head[32..].copy_from_slice(&digest);
}

/// Whether these bytes begin as a record of `region` does, whole or not.
pub fn has_mark(region: Region, bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(4) == Some(&region.kind)
}

/// Decodes the record in `buffer`, which holds one copy of `region`.
///
/// # Errors
/// [`Invalid`] when there is no valid record of this kind.
pub fn decode(region: Region, buffer: &[u8]) -> Result<Record<'_>, Invalid> {
    let (head, rest) = buffer.split_at_checked(HEAD).ok_or(Invalid::Damaged)?;
    let field = |range: core::ops::Range<usize>| &head[range];
    if !has_mark(region, head) {
        return Err(Invalid::Damaged);
    }
    let length = length_of(head).ok_or(Invalid::Damaged)?;
    let payload = rest.get(..length as usize).ok_or(Invalid::Damaged)?;
    let digest = digest(field(0..32), payload);
    if digest[..] != head[32..] {
        return Err(Invalid::Damaged);
    }
    match head[5] {
        FORMAT_VERSION => {}
        0..FORMAT_VERSION => return Err(Invalid::Older),
        _ => return Err(Invalid::Newer),
    }
    let sequence = u64::from_le_bytes(field(8..16).try_into().map_err(|_| Invalid::Damaged)?);
    Ok(Record {
        sequence,
        payload,
        digest,
    })
}

/// Makes the record in `buffer` one of another version, whole as before.
#[cfg(test)]
pub fn set_version(buffer: &mut [u8], version: u8) {
    buffer[5] = version;
    let length = length_of(buffer).unwrap() as usize;
    let again = digest(&buffer[..32], &buffer[HEAD..HEAD + length]);
    buffer[32..HEAD].copy_from_slice(&again);
}

#[cfg(test)]
mod tests {
    use super::super::layout::{HEADER, STATE, STICKS};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_read_back_and_any_bent_byte_is_noticed(
            payload in proptest::collection::vec(any::<u8>(), 0..8000),
            sequence: u64,
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let mut buffer = vec![0xff; STICKS.bytes()];
            encode(STICKS, sequence, &payload, &mut buffer);
            let found = decode(STICKS, &buffer).unwrap();
            prop_assert_eq!(found.sequence, sequence);
            prop_assert_eq!(found.payload, &payload);
            let at = at.index(HEAD + payload.len());
            buffer[at] ^= 1 << bit;
            prop_assert_eq!(decode(STICKS, &buffer), Err(Invalid::Damaged));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let _ = decode(HEADER, &bytes);
        }
    }

    #[test]
    fn a_head_that_lies_reads_nothing_behind_its_region() {
        for (region, most) in [(HEADER, 1), (STICKS, 4)] {
            let fits = capacity(region) as u32;
            assert_eq!(fits, most * 4096 - 64);
            for length in [fits, fits + 1, u32::MAX] {
                let mut block = vec![0; BLOCK_SIZE];
                block[16..20].copy_from_slice(&length.to_le_bytes());
                assert_eq!(blocks_of(region, &block), most, "{length}");
            }
        }
    }

    #[test]
    fn a_record_of_another_region_does_not_count() {
        let mut buffer = vec![0; BLOCK_SIZE];
        encode(HEADER, 1, b"x", &mut buffer);
        assert_eq!(decode(STATE, &buffer), Err(Invalid::Damaged));
    }

    #[test]
    fn another_format_is_told_from_damage() {
        let mut buffer = vec![0; BLOCK_SIZE];
        encode(HEADER, 1, b"x", &mut buffer);
        for (version, expected) in [
            (FORMAT_VERSION + 1, Invalid::Newer),
            (FORMAT_VERSION - 1, Invalid::Older),
        ] {
            set_version(&mut buffer, version);
            assert_eq!(decode(HEADER, &buffer), Err(expected));
        }
    }
}
