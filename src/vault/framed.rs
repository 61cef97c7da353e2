//! What the files of a stick have in common: a mark, a version, and a digest over all of
//! it, in a file of a fixed length.

use sha2::{Digest, Sha256};

/// Mark, version, length, digest.
pub const HEAD: usize = 48;

/// A kind of file.
pub struct Frame {
    /// What the file begins with.
    pub mark: &'static [u8; 8],
    /// The version that is written and read.
    pub version: u8,
    /// Bytes of the file.
    pub bytes: usize,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It is none of this kind, or it was cut or changed.
    Damaged,
    /// It is whole, and of a newer version.
    Newer,
    /// Whole, and of a version that is not read any more.
    Older,
}

impl Frame {
    /// Bytes of a payload, at most.
    pub const fn capacity(&self) -> usize {
        self.bytes - HEAD
    }

    /// The file with this payload.
    ///
    /// # Panics
    /// If the payload is longer than [`Frame::capacity`].
    pub fn around(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes];
        bytes[HEAD..HEAD + payload.len()].copy_from_slice(payload);
        bytes[..8].copy_from_slice(self.mark);
        bytes[8] = self.version;
        bytes[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        let digest = digest(&bytes, payload.len());
        bytes[16..HEAD].copy_from_slice(&digest);
        bytes
    }

    /// The payload of a file.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], FrameError> {
        if bytes.len() != self.bytes || !bytes.starts_with(self.mark) {
            return Err(FrameError::Damaged);
        }
        let length = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes")) as usize;
        if length > self.capacity() || digest(bytes, length)[..] != bytes[16..HEAD] {
            return Err(FrameError::Damaged);
        }
        match bytes[8] {
            version if version == self.version => Ok(&bytes[HEAD..HEAD + length]),
            version if version < self.version => Err(FrameError::Older),
            _ => Err(FrameError::Newer),
        }
    }
}

/// Over the head before it and the payload.
fn digest(bytes: &[u8], length: usize) -> [u8; 32] {
    Sha256::new()
        .chain_update(&bytes[..16])
        .chain_update(&bytes[HEAD..HEAD + length])
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Frame = Frame {
        mark: b"STAYPUT?",
        version: 2,
        bytes: 512,
    };

    #[test]
    fn a_file_of_another_version_is_called_so_only_if_it_is_whole() {
        for (version, error) in [(1, FrameError::Older), (3, FrameError::Newer)] {
            let other = Frame { version, ..OURS };
            let mut bytes = other.around(b"payload");
            assert_eq!(OURS.payload(&bytes), Err(error));
            bytes[HEAD] ^= 1;
            assert_eq!(OURS.payload(&bytes), Err(FrameError::Damaged));
        }
    }

    #[test]
    fn the_longest_payload_is_read_back_and_no_longer_one_is() {
        let payload = vec![7; OURS.capacity()];
        let mut bytes = OURS.around(&payload);
        assert_eq!(OURS.payload(&bytes), Ok(&payload[..]));
        bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(OURS.payload(&bytes), Err(FrameError::Damaged));
        assert_eq!(OURS.payload(&bytes[1..]), Err(FrameError::Damaged));
        assert_eq!(OURS.payload(b""), Err(FrameError::Damaged));
    }
}
