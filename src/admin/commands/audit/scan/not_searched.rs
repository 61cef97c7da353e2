//! Why something was not searched.

use std::io::{self, ErrorKind};

/// Why a file or a folder was not searched, or not to its end. What is not there is
/// none of these: nothing is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotSearched {
    /// The system does not allow it.
    NotAllowed,
    /// It could not be read.
    NotReadable,
    /// What unpacks it is not installed.
    NoProgram(&'static str),
    /// What it was packed as is damaged, or is not what it looks like.
    Damaged,
    /// It is encrypted.
    Encrypted,
    /// Nothing here reads this format.
    UnknownFormat(&'static str),
    /// It is larger than what is unpacked of one file.
    TooLarge,
    /// Unpacking or reading it took too long.
    TooSlow,
    /// Too many folders or archives within each other.
    TooDeep,
    /// It lies on another machine, on a filesystem that a program provides, or on one
    /// that is mounted when it is looked at.
    Elsewhere,
    /// What is mounted could not be read, so that it may lie elsewhere.
    MountsUnknown,
    /// The time for the whole search was over.
    NoTime,
}

impl core::fmt::Display for NotSearched {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotAllowed => f.write_str("not allowed"),
            Self::NotReadable => f.write_str("not readable"),
            Self::NoProgram(name) => write!(f, "{name} is not installed"),
            Self::Damaged => f.write_str("packed, but damaged"),
            Self::Encrypted => f.write_str("encrypted"),
            Self::UnknownFormat(name) => write!(f, "nothing here reads {name}"),
            Self::TooLarge => f.write_str("too large when unpacked"),
            Self::TooSlow => f.write_str("took too long"),
            Self::TooDeep => f.write_str("nested too deeply"),
            Self::Elsewhere => {
                f.write_str("on another machine, provided by a program, or not mounted")
            }
            Self::MountsUnknown => f.write_str("what is mounted could not be read"),
            Self::NoTime => f.write_str("no time was left"),
        }
    }
}

impl From<&io::Error> for NotSearched {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self::NotAllowed,
            ErrorKind::FileTooLarge => Self::TooLarge,
            ErrorKind::TimedOut => Self::TooSlow,
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::NotReadable,
        }
    }
}
