//! The rules for a new passphrase. Pure.

use core::fmt;

use crate::printable::is_seen_as_it_is;

/// Characters of a passphrase, at least.
const SHORTEST: usize = 8;

/// Why a passphrase is not accepted; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusablePassphrase {
    /// Fewer than 8 characters.
    TooShort,
    /// It is no UTF-8, has characters that nobody sees, or blanks at its ends.
    CannotBeTyped,
}

impl fmt::Display for UnusablePassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => {
                "A passphrase has at least 8 characters: shorter ones are guessed in hours."
            }
            Self::CannotBeTyped => {
                "This passphrase has signs that nobody sees, or blanks at its ends: nobody would \
                 type it like that at the prompt."
            }
        })
    }
}

impl UnusablePassphrase {
    /// What to do next.
    pub fn advice(self) -> &'static str {
        match self {
            Self::TooShort => "Take five random words, or more.",
            Self::CannotBeTyped => "Use letters and digits, and spaces between words.",
        }
    }
}

/// Checks a new passphrase.
///
/// # Errors
/// [`UnusablePassphrase`]: why it is not accepted.
pub fn check_passphrase(passphrase: &[u8]) -> Result<(), UnusablePassphrase> {
    match str::from_utf8(passphrase) {
        Ok(text) if text.chars().count() < SHORTEST => Err(UnusablePassphrase::TooShort),
        Ok(_) if can_be_typed(passphrase) => Ok(()),
        _ => Err(UnusablePassphrase::CannotBeTyped),
    }
}

/// Whether a person types a new passphrase or PIN again at the prompt: it is UTF-8, with
/// nothing that is not seen, such as the mark that some editors write in front of a text,
/// and without blanks at its ends.
pub fn can_be_typed(secret: &[u8]) -> bool {
    str::from_utf8(secret)
        .is_ok_and(|text| text.trim() == text && text.chars().all(is_seen_as_it_is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_or_cannot_be_typed_is_refused() {
        for words in ["", "1234567", "señora7"] {
            let refused = check_passphrase(words.as_bytes());
            assert_eq!(refused, Err(UnusablePassphrase::TooShort), "{words:?}");
        }
        let not_utf8: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff";
        let marked = "\u{feff}five random words".as_bytes();
        let unseen = "five\u{200b}random words".as_bytes();
        for words in [
            b"eight\tletters",
            &b"a\x1b[2Jbcdefg"[..],
            not_utf8,
            marked,
            unseen,
            b"five random words ",
            "\u{a0}five random words".as_bytes(),
        ] {
            assert_eq!(
                check_passphrase(words),
                Err(UnusablePassphrase::CannotBeTyped),
                "{words:?}"
            );
        }
        for words in ["12345678", "la señora", "five random words it is"] {
            assert_eq!(check_passphrase(words.as_bytes()), Ok(()), "{words:?}");
        }
    }
}
