//! Why a stick, or the key on it, is not used; in a person's words.

use core::fmt;

use nix::errno::Errno;

use crate::filesystem::{Driver, Format, MountError};

/// Why a stick does not open this server; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StickError {
    /// No folder or file of stayput on it.
    NoKey,
    /// Key files of other servers only.
    OtherServer,
    /// Both copies are damaged.
    Damaged,
    /// Made by a newer version of stayput.
    Newer,
    /// Made by an older version of stayput.
    Older,
    /// Made before the master key was replaced, and not for the one of now.
    Old,
    /// Of a later master key than the vault, which is an old copy.
    Later,
    /// Its master key is another one than the vault's of the same generation: one of two
    /// copies of the vault was given a new key.
    OtherKey,
    /// It, or what is on it, cannot be read.
    Unreadable,
    /// The kernel does not let this process look at it.
    NotAllowed,
    /// Formatted as something that is not read here.
    Format(Format),
    /// The running kernel has no driver for its filesystem.
    NoDriver(Driver),
    /// The PIN is wrong, or the file was changed.
    WrongPin,
}

impl fmt::Display for StickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format(Format::Empty) => {
                "This stick is empty. Use a backup stick of this server."
            }
            Self::Format(format) => {
                let Some(title) = format.title() else {
                    return f.write_str(
                        "This stick has no filesystem that stayput knows. Use another one.",
                    );
                };
                return write!(
                    f,
                    "This stick is formatted as {title}. Use one with FAT, exFAT or ext4."
                );
            }
            Self::NoDriver(Driver { filesystem, module }) => {
                let title = filesystem.title();
                return write!(
                    f,
                    "This kernel has no driver for {title} (module {module}). Use another stick."
                );
            }
            Self::NoKey => "This stick has no key on it. Use a backup stick of this server.",
            Self::OtherServer => "This stick is for another server. Use a stick of this server.",
            Self::Damaged => "The key on this stick is damaged. Use another backup stick.",
            Self::Newer => "This stick was made by a newer version of stayput. Use another one.",
            Self::Older => {
                "This stick was made by an older version of stayput, and is not read any more. Use \
                 another one."
            }
            Self::Old => "This stick is too old: the key was replaced since. Use a newer stick.",
            Self::Later => {
                "This stick is of a later key than this vault: an old copy of the vault is here."
            }
            Self::OtherKey => {
                "This stick has another key than this vault, which was replaced in an old copy."
            }
            Self::Unreadable => "This stick cannot be read. Use a backup stick of this server.",
            Self::NotAllowed => "Looking at this stick is not allowed.",
            Self::WrongPin => "The PIN is wrong.",
        })
    }
}

impl std::error::Error for StickError {}

impl From<MountError> for StickError {
    fn from(error: MountError) -> Self {
        match error {
            MountError::Format(format) => Self::Format(format),
            MountError::NoDriver(driver) => Self::NoDriver(driver),
            MountError::Failed(Errno::EACCES | Errno::EPERM) => Self::NotAllowed,
            MountError::Failed(_) => Self::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stick_that_may_not_be_looked_at_is_not_unreadable() {
        let of = |errno| StickError::from(MountError::Failed(errno));
        assert_eq!(of(Errno::EACCES), StickError::NotAllowed);
        assert_eq!(of(Errno::EPERM), StickError::NotAllowed);
        assert_eq!(of(Errno::EIO), StickError::Unreadable);
    }
}
