//! The key file in the plain format of `file_key_management`: one `id;hex`
//! line per key.

use zeroize::Zeroizing;

use super::MAX_KEY_IDS;
use crate::keys::Secret32;

/// Ten digits, a semicolon, 64 hex digits, a newline.
const LINE_MAX: usize = 10 + 1 + 64 + 1;

/// Bytes of the longest key file.
const TEXT_MAX: usize = MAX_KEY_IDS * LINE_MAX;

/// One key with its id.
#[derive(Clone, Debug)]
pub struct ReleasedKey {
    /// MariaDB's number of the key, from 1.
    pub id: u32,
    /// The 32 bytes for AES-256, derived from the master key and the id.
    pub key: Secret32,
}

/// The text of a key file; erased on drop, never shown.
pub struct KeyFile {
    text: Zeroizing<heapless::Vec<u8, TEXT_MAX>>,
}

/// Why a key file is not one that was released. Holds no byte of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileError {
    /// More bytes than [`KeyFile::MAX`].
    TooLong,
    /// The line (from 1) is not `id;hex` with 64 hex digits.
    Line(usize),
    /// The id stands in two lines.
    Twice(u32),
}

impl KeyFile {
    /// Bytes of the longest key file.
    pub const MAX: usize = TEXT_MAX;

    pub(super) fn of(keys: impl Iterator<Item = ReleasedKey>) -> Self {
        let mut text: Zeroizing<heapless::Vec<u8, TEXT_MAX>> = Zeroizing::new(heapless::Vec::new());
        let mut push = |byte| text.push(byte).expect("sixteen lines fit");
        for ReleasedKey { id, key } in keys.take(MAX_KEY_IDS) {
            let mut digits: heapless::String<10> = heapless::String::new();
            core::fmt::write(&mut digits, format_args!("{id}")).expect("a u32 has ten digits");
            digits.bytes().for_each(&mut push);
            push(b';');
            for byte in key.expose() {
                push(hex_digit(byte >> 4));
                push(hex_digit(byte & 15));
            }
            push(b'\n');
        }
        Self { text }
    }

    /// The text that MariaDB reads.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Parses a key file, in exactly the form in which it is written. The bytes
    /// may come from anyone.
    ///
    /// # Errors
    /// [`KeyFileError`] with the first line that is wrong.
    pub fn parse(text: &[u8]) -> Result<heapless::Vec<ReleasedKey, MAX_KEY_IDS>, KeyFileError> {
        let mut keys: heapless::Vec<ReleasedKey, MAX_KEY_IDS> = heapless::Vec::new();
        if text.len() > TEXT_MAX {
            return Err(KeyFileError::TooLong);
        }
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let key = parse_line(line).ok_or(KeyFileError::Line(index + 1))?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyFileError::Twice(key.id));
            }
            keys.push(key).map_err(|_| KeyFileError::TooLong)?;
        }
        Ok(keys)
    }
}

impl core::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyFile(..)")
    }
}

fn parse_line(line: &[u8]) -> Option<ReleasedKey> {
    let line = line.strip_suffix(b"\n")?;
    let semicolon = line.iter().position(|&byte| byte == b';')?;
    let (id, hex) = (&line[..semicolon], &line[semicolon + 1..]);
    let mut key = Secret32::new([0; 32]);
    parse_hex(hex, key.expose_mut())?;
    Some(ReleasedKey {
        id: parse_id(id)?,
        key,
    })
}

/// Parses a key id: decimal, from 1, no sign, no leading zero.
pub(super) fn parse_id(digits: &[u8]) -> Option<u32> {
    let plain = digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0');
    if !plain {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// Parses 64 lower-case hex digits.
pub(super) fn parse_hex(hex: &[u8], out: &mut [u8; 32]) -> Option<()> {
    if hex.len() != 64 {
        return None;
    }
    for (byte, digits) in out.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = hex_value(digits[0])? << 4 | hex_value(digits[1])?;
    }
    Some(())
}

pub(super) fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyId, MariadbRelease};
    use super::*;
    use crate::keys::Keyring;
    use proptest::prelude::*;

    fn released(ids: &[u32]) -> KeyFile {
        let release = MariadbRelease {
            key_ids: ids
                .iter()
                .map(|id| KeyId {
                    id: *id,
                    generation: 1,
                })
                .collect(),
            ..MariadbRelease::new(0, 0, 1)
        };
        release.key_file(&Keyring::of_bytes(1))
    }

    #[test]
    fn mariadb_gets_one_plain_line_per_key() {
        let file = released(&[1, 2]);
        let text = core::str::from_utf8(file.as_bytes()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("1;") && lines[1].starts_with("2;"));
        assert!(lines.iter().all(|line| line.len() == 66));
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn sixteen_of_the_longest_ids_fit() {
        let ids: Vec<u32> = (0..16).map(|n| u32::MAX - n).collect();
        assert_eq!(KeyFile::parse(released(&ids).as_bytes()).unwrap().len(), 16);
    }

    #[test]
    fn a_key_file_is_never_shown() {
        assert_eq!(format!("{:?}", released(&[1])), "KeyFile(..)");
    }

    #[test]
    fn a_foreign_key_file_is_refused_with_its_line() {
        let hex = "ab".repeat(32);
        let line = |text: &str| KeyFile::parse(text.as_bytes()).err();
        for bad in [
            format!("1;{hex}"),
            format!("0;{hex}\n"),
            format!("01;{hex}\n"),
            format!("+1;{hex}\n"),
            format!("4294967296;{hex}\n"),
            format!(";{hex}\n"),
            format!("1;{}\n", &hex[1..]),
            format!("1;{hex}0\n"),
            format!("1;{}\n", hex.to_uppercase()),
            format!(" 1;{hex}\n"),
            format!("1;{hex}\r\n"),
            "\n".into(),
            "# a comment\n".into(),
        ] {
            assert_eq!(line(&bad), Some(KeyFileError::Line(1)), "{bad:?}");
        }
        assert_eq!(
            line(&format!("1;{hex}\n1;{hex}\n")),
            Some(KeyFileError::Twice(1))
        );
    }

    proptest! {
        #[test]
        fn what_was_released_is_read_back(ids in proptest::collection::hash_set(1..u32::MAX, 0..=16)) {
            let ids: Vec<u32> = ids.into_iter().collect();
            let keys = KeyFile::parse(released(&ids).as_bytes()).unwrap();
            let keyring = Keyring::of_bytes(1);
            prop_assert_eq!(keys.len(), ids.len());
            for (read, id) in keys.iter().zip(ids) {
                prop_assert_eq!(read.id, id);
                let expected = super::super::key(keyring.current(), id);
                prop_assert_eq!(read.key.expose(), expected.expose());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = KeyFile::parse(&bytes);
        }
    }
}
