//! Names that people give: of servers, people, sticks and the places where
//! things are kept.

use std::fmt;

use heapless::String as Bounded;

use crate::printable::is_seen_as_it_is;

/// The place that `init` enrolls, until `enroll` replaces it: this machine
/// alone, wherever it stands.
pub const SETUP_PLACE: &str = "setup";

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It is empty, or has characters that control the screen or are not seen.
    NotReadable,
    /// It has more bytes than this, the room in the vault.
    TooLong(usize),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReadable => {
                f.write_str("it needs at least one letter, and no invisible or control characters")
            }
            Self::TooLong(most) => write!(f, "it has at most {most} bytes"),
        }
    }
}

impl std::error::Error for NameError {}

/// A name of `N` bytes (UTF-8) at most, without white space at its ends.
///
/// # Errors
/// [`NameError`].
pub fn name<const N: usize>(text: &str) -> Result<Bounded<N>, NameError> {
    let text = text.trim();
    if text.is_empty() || !text.chars().all(is_seen_as_it_is) {
        return Err(NameError::NotReadable);
    }
    text.try_into().map_err(|_| NameError::TooLong(N))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_in_the_vault_and_on_a_screen() {
        assert_eq!(name::<32>(" Halima "), Ok("Halima".try_into().unwrap()));
        for wrong in ["", " ", "a\u{1b}[2J", "a\u{202e}b", "a\u{200b}"] {
            assert_eq!(name::<32>(wrong), Err(NameError::NotReadable), "{wrong:?}");
        }
        let long = "x".repeat(33);
        assert_eq!(name::<32>(&long), Err(NameError::TooLong(32)));
        assert!(name::<48>(&long).is_ok());
    }
}
