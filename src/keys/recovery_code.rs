//! The recovery code: the key of a way in, in letters that a person writes down and
//! types.
//!
//! It has 72 letters in 9 groups of 8, in modhex: 16 letters that have the same
//! keys on US, German and French keyboards. What they spell unwraps the master key,
//! which is wrapped for it in the vault and in the files beside it.

mod typed;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use typed::{CodeError, TypedCode};

use super::{Secret32, WayKey};

/// Groups of a code.
pub const CODE_GROUPS: usize = 9;
/// Letters of a group.
pub const GROUP_LETTERS: usize = 8;

const LETTERS: usize = CODE_GROUPS * GROUP_LETTERS;
/// The letters for the digits 0 to 15, of four bits each.
const ALPHABET: &[u8; 16] = b"cbdefghijklnrtuv";
const VERSION: u8 = 2;
const LABEL: &str = "stayput recovery code v1";

/// Letters of the key. Behind them are one letter for the version, one for the
/// code's number, and six for the checksum.
const KEY: usize = 64;
const CHECKSUM: usize = KEY + 2;

/// The digits of a code, one for each letter.
type Digits = Zeroizing<[u8; LETTERS]>;

/// A code with a right checksum. Whether it is the one that the server has now is
/// checked where its wrap stands.
#[derive(Clone, Debug)]
pub struct RecoveryCode {
    /// The way key that the code spells.
    pub way: WayKey,
    /// The lowest four bits of its number: each new code of a server has the next.
    pub number: u8,
}

impl RecoveryCode {
    /// The code of a way key. Only the lowest four bits of the number are in it.
    pub fn new(way: &WayKey, number: u8) -> Self {
        Self {
            way: way.clone(),
            number: number & 0xf,
        }
    }

    /// The 72 letters.
    pub fn letters(&self, server_id: &[u8; 16]) -> Zeroizing<[u8; LETTERS]> {
        let mut digits: Digits = Zeroizing::new([0; LETTERS]);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.way.secret().expose()) {
            (pair[0], pair[1]) = (byte >> 4, byte & 0xf);
        }
        digits[KEY] = VERSION;
        digits[KEY + 1] = self.number;
        let sum = checksum(&digits, server_id);
        digits[CHECKSUM..].copy_from_slice(&sum);
        for digit in digits.iter_mut() {
            *digit = ALPHABET[usize::from(*digit)];
        }
        digits
    }

    /// Parses a whole code: upper or lower case, in groups or in one piece.
    ///
    /// # Errors
    /// [`CodeError`].
    pub fn parse(text: &[u8], server_id: &[u8; 16]) -> Result<Self, CodeError> {
        let mut typed = TypedCode::default();
        typed.push(text)?;
        typed.finish(server_id)
    }

    fn from_digits(digits: &Digits, server_id: &[u8; 16]) -> Result<Self, CodeError> {
        if !fits(digits, server_id) {
            return Err(typed::mistyped(digits, server_id));
        }
        match digits[KEY] {
            VERSION => {}
            0..VERSION => return Err(CodeError::Older),
            _ => return Err(CodeError::Newer),
        }
        Ok(Self {
            way: WayKey::from_secret(key_of(digits)),
            number: digits[KEY + 1],
        })
    }
}

fn key_of(digits: &Digits) -> Secret32 {
    let mut secret = Secret32::new([0; 32]);
    for (byte, pair) in secret.expose_mut().iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    secret
}

/// The checksum: 24 bits of an HMAC over the server's id, the version and the
/// number, under a key derived from what the letters spell. It recognises mistyped
/// codes and codes of other servers.
fn checksum(digits: &Digits, server_id: &[u8; 16]) -> [u8; 6] {
    let key = key_of(digits).derive(b"", LABEL.as_bytes());
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
    mac.update(server_id);
    mac.update(&digits[KEY..CHECKSUM]);
    let sum: [u8; 32] = mac.finalize().into_bytes().into();
    core::array::from_fn(|at| (sum[at / 2] >> (4 * (1 - at % 2))) & 0xf)
}

fn fits(digits: &Digits, server_id: &[u8; 16]) -> bool {
    checksum(digits, server_id)
        .ct_eq(&digits[CHECKSUM..])
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER: [u8; 16] = [7; 16];

    fn code() -> (WayKey, String) {
        let key = WayKey::random();
        let letters = RecoveryCode::new(&key, 1).letters(&SERVER);
        (key, String::from_utf8(letters.to_vec()).unwrap())
    }

    fn in_groups(letters: &str, between: &str) -> String {
        let groups = letters.as_bytes().chunks(GROUP_LETTERS);
        let groups: Vec<&str> = groups.map(|g| core::str::from_utf8(g).unwrap()).collect();
        groups.join(between)
    }

    fn error(text: &str) -> CodeError {
        RecoveryCode::parse(text.as_bytes(), &SERVER).unwrap_err()
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let (key, letters) = code();
        for text in [
            letters.clone(),
            letters.to_uppercase(),
            in_groups(&letters, " "),
            in_groups(&letters, "-"),
            format!("  {} ", in_groups(&letters.to_uppercase(), " - ")),
        ] {
            let code = RecoveryCode::parse(text.as_bytes(), &SERVER).unwrap();
            assert_eq!(code.way.secret().expose(), key.secret().expose(), "{text}");
            assert_eq!(code.number, 1);
        }
    }

    #[test]
    fn the_letters_of_a_known_key_are_these() {
        let key = WayKey::from_secret(Secret32::new(core::array::from_fn(|at| at as u8)));
        let letters = RecoveryCode::new(&key, 1).letters(&SERVER);
        let letters = core::str::from_utf8(&letters[..]).unwrap();
        let known = "cccbcdcecfcgchcicjckclcncrctcucvbcbbbdbebfbgbhbibjbkblbnbrbtbubv";
        assert_eq!(&letters[..KEY], known);
        assert_eq!(&letters[KEY..CHECKSUM], "db", "version 2, number 1");
        // Sheets of paper outlive programs: computed by hand as format.md says.
        assert_eq!(&letters[CHECKSUM..], "jbnguj");
    }

    #[test]
    fn one_mistyped_letter_is_found_in_its_group() {
        let (_, letters) = code();
        for at in [0, 7, 8, 40, 63, 64, 65, 71] {
            let mut wrong = letters.clone().into_bytes();
            wrong[at] = if wrong[at] == b'c' { b'v' } else { b'c' };
            let group = at / GROUP_LETTERS + 1;
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(error(&wrong), CodeError::Group { group }, "letter {at}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_told_by_its_group() {
        let (_, letters) = code();
        let groups = in_groups(&letters, " ");
        let mut missing = groups.clone();
        missing.remove(9 * 3 + 2);
        assert_eq!(error(&missing), CodeError::Length { group: 4 });
        let mut strange = groups.clone();
        strange.replace_range(9..10, "a");
        assert_eq!(error(&strange), CodeError::Letter { group: 2 });
        assert_eq!(error(&groups[..62]), CodeError::Length { group: 8 });
        assert_eq!(error(&format!("{groups} c")), CodeError::TooLong);
        assert_eq!(error(""), CodeError::Length { group: 1 });
    }

    #[test]
    fn what_is_said_of_a_wrong_code_names_the_group() {
        for at_group in [
            CodeError::Letter { group: 7 },
            CodeError::Length { group: 7 },
            CodeError::Group { group: 7 },
        ] {
            let said = at_group.to_string().to_lowercase();
            assert!(said.contains("group 7"), "{said}");
        }
        for whole in [CodeError::TooLong, CodeError::Wrong, CodeError::Newer] {
            assert!(whole.to_string().contains("code "), "{whole}");
        }
    }

    #[test]
    fn a_code_of_another_server_is_wrong() {
        let (_, letters) = code();
        let other = RecoveryCode::parse(letters.as_bytes(), &[8; 16]);
        assert_eq!(other.unwrap_err(), CodeError::Wrong);
    }

    #[test]
    fn a_code_says_which_of_the_servers_codes_it_is() {
        let key = WayKey::random();
        for (number, said) in [(1, 1), (15, 15), (16, 0), (255, 15)] {
            let letters = RecoveryCode::new(&key, number).letters(&SERVER);
            let code = RecoveryCode::parse(&letters[..], &SERVER).unwrap();
            assert_eq!(code.number, said);
        }
    }

    #[test]
    fn a_code_of_another_version_is_called_so() {
        for (version, error) in [
            (VERSION - 1, CodeError::Older),
            (VERSION + 1, CodeError::Newer),
        ] {
            let (_, letters) = code();
            let mut digits: Digits = Zeroizing::new([0; LETTERS]);
            for (digit, letter) in digits.iter_mut().zip(letters.bytes()) {
                *digit = ALPHABET.iter().position(|known| *known == letter).unwrap() as u8;
            }
            digits[KEY] = version;
            let sum = checksum(&digits, &SERVER);
            digits[CHECKSUM..].copy_from_slice(&sum);
            let read = RecoveryCode::from_digits(&digits, &SERVER);
            assert_eq!(read.unwrap_err(), error);
        }
    }

    #[test]
    fn a_group_that_was_mistyped_is_typed_again_and_the_others_stay() {
        let (key, letters) = code();
        let mut typed = TypedCode::default();
        for (group, text) in (1..).zip(letters.as_bytes().chunks(GROUP_LETTERS)) {
            assert_eq!(typed.next_group(), Some(group));
            assert!(typed.push(&text[..7]).is_err());
            assert!(typed.push(b"cccccccx").is_err());
            typed.push(text).unwrap();
        }
        assert_eq!(typed.next_group(), None);
        let code = typed.finish(&SERVER).unwrap();
        assert_eq!(code.way.secret().expose(), key.secret().expose());
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RecoveryCode::parse(&bytes, &SERVER);
        }
    }
}
