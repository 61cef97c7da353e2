//! A recovery code as a person types it, and what is wrong with it.

use core::fmt;

use zeroize::Zeroizing;

use super::{ALPHABET, Digits, GROUP_LETTERS, LETTERS, RecoveryCode, fits};

/// Why a code is not accepted; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// A letter is not one of the 16.
    Letter {
        /// Number of the group, from 1.
        group: usize,
    },
    /// A group does not have 8 letters.
    Length {
        /// Number of the group, from 1.
        group: usize,
    },
    /// There are more than 9 groups.
    TooLong,
    /// The checksum is wrong, and would be right with one other letter in this
    /// group.
    Group {
        /// Number of the group, from 1.
        group: usize,
    },
    /// The checksum is wrong: the code is mistyped, or of another server.
    Wrong,
    /// The code is of a newer version of stayput.
    Newer,
    /// The code was made before the first release, and is not read any more.
    Older,
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter { group } => write!(
                f,
                "Group {group} has a letter that is in no code. A code has only these: \
                 c b d e f g h i j k l n r t u v"
            ),
            Self::Length { group } => write!(f, "Group {group} does not have 8 letters."),
            Self::TooLong => f.write_str("A code has 9 groups of 8 letters, this has more."),
            Self::Group { group } => {
                write!(f, "The code is wrong. Look at group {group} again.")
            }
            Self::Wrong => f.write_str("The code is wrong, or it is of another server."),
            Self::Newer => f.write_str("The code was made by a newer version of stayput."),
            Self::Older => f.write_str(
                "The code was made by an older version of stayput, and is not read any more.",
            ),
        }
    }
}

/// A code that is typed group by group.
#[derive(Default)]
pub struct TypedCode {
    digits: Zeroizing<heapless::Vec<u8, LETTERS>>,
}

impl TypedCode {
    /// Number of the next group, from 1; `None` when all are there.
    pub fn next_group(&self) -> Option<usize> {
        (self.digits.len() < LETTERS).then(|| self.digits.len() / GROUP_LETTERS + 1)
    }

    /// Adds one or more whole groups. Spaces and dashes are ignored. After an
    /// error nothing of `text` was added.
    ///
    /// # Errors
    /// [`CodeError::Letter`], [`CodeError::Length`], [`CodeError::TooLong`].
    pub fn push(&mut self, text: &[u8]) -> Result<(), CodeError> {
        let before = self.digits.len();
        let taken = self.take(text);
        if taken.is_err() {
            self.digits.truncate(before);
        }
        taken
    }

    fn take(&mut self, text: &[u8]) -> Result<(), CodeError> {
        let pieces = text.split(|byte| matches!(byte, b' ' | b'\t' | b'-'));
        let pieces = pieces.filter(|piece| !piece.is_empty());
        for piece in pieces {
            // Checked for each group, so that a missing letter is found in its
            // group.
            let group = self.digits.len() / GROUP_LETTERS + 1;
            for letter in piece {
                let group = self.digits.len() / GROUP_LETTERS + 1;
                let letter = letter.to_ascii_lowercase();
                let digit = ALPHABET.iter().position(|known| *known == letter);
                let digit = digit.ok_or(CodeError::Letter { group })?;
                self.digits
                    .push(digit as u8)
                    .map_err(|_| CodeError::TooLong)?;
            }
            if !self.digits.len().is_multiple_of(GROUP_LETTERS) {
                return Err(CodeError::Length { group });
            }
        }
        Ok(())
    }

    /// The code, once all groups are there.
    ///
    /// # Errors
    /// [`CodeError::Length`] while a group is missing; [`CodeError::Group`],
    /// [`CodeError::Wrong`], [`CodeError::Newer`], [`CodeError::Older`].
    pub fn finish(&self, server_id: &[u8; 16]) -> Result<RecoveryCode, CodeError> {
        if let Some(group) = self.next_group() {
            return Err(CodeError::Length { group });
        }
        let mut digits: Digits = Zeroizing::new([0; LETTERS]);
        digits.copy_from_slice(&self.digits);
        RecoveryCode::from_digits(&digits, server_id)
    }
}

/// Looks for a single wrong letter: tries every other letter at every position.
/// Of the 1080 codes one fits by chance once in 15,000 times.
pub(super) fn mistyped(digits: &Digits, server_id: &[u8; 16]) -> CodeError {
    let mut other = digits.clone();
    for at in 0..LETTERS {
        for digit in 0..16 {
            other[at] = digit;
            if fits(&other, server_id) {
                let group = at / GROUP_LETTERS + 1;
                return CodeError::Group { group };
            }
        }
        other[at] = digits[at];
    }
    CodeError::Wrong
}
