//! Which passphrases are taken at all, wherever a person chooses one. Pure.

use core::fmt;

/// Characters of a passphrase, at least.
const SHORTEST: usize = 8;

/// Why one is not taken; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Fewer than 8 characters.
    TooShort,
    /// No UTF-8, or control characters in it.
    CannotBeTyped,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => {
                "A passphrase has at least 8 characters: shorter ones are guessed in hours."
            }
            Self::CannotBeTyped => "This passphrase has signs that cannot be typed at the prompt.",
        })
    }
}

impl Unusable {
    /// What to do next.
    pub fn advice(self) -> &'static str {
        match self {
            Self::TooShort => "Take five random words, or more.",
            Self::CannotBeTyped => "Use letters, digits and spaces.",
        }
    }
}

/// Whether these can be a person's passphrase.
///
/// # Errors
/// [`Unusable`].
pub fn usable(words: &[u8]) -> Result<(), Unusable> {
    match str::from_utf8(words) {
        Ok(text) if text.chars().count() < SHORTEST => Err(Unusable::TooShort),
        Ok(text) if !text.chars().any(char::is_control) => Ok(()),
        _ => Err(Unusable::CannotBeTyped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_or_cannot_be_typed_is_refused() {
        for words in ["", "1234567", "señora7"] {
            let refused = usable(words.as_bytes());
            assert_eq!(refused, Err(Unusable::TooShort), "{words:?}");
        }
        let not_utf8: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff";
        for words in [b"eight\tletters", &b"a\x1b[2Jbcdefg"[..], not_utf8] {
            assert_eq!(usable(words), Err(Unusable::CannotBeTyped), "{words:?}");
        }
        for words in ["12345678", "la señora", "five random words it is"] {
            assert_eq!(usable(words.as_bytes()), Ok(()), "{words:?}");
        }
    }
}
