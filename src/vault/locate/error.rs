//! Why a vault is not found or opened, in a person's words, and what follows from it.

use core::fmt;

use nix::errno::Errno;

use crate::filesystem::{Driver, MountError};
use crate::vault::VaultError;

/// Why the vault could not be found or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocateError {
    /// No partition on any disk has the id that vault.conf names.
    NoPartition,
    /// The partition is there, but its vault cannot be read or written.
    Vault(VaultError),
    /// The partition holds the vault of another server.
    OtherServer,
    /// The partition or the file in it cannot be opened, with this errno.
    Open(i32),
    /// A disk must not be looked at, with this errno: whether the vault is there is
    /// not known.
    NotAllowed(i32),
    /// No partition has the id, and a disk that may have it cannot be read, with this
    /// errno.
    Unread(i32),
    /// The kernel has no driver for the filesystem that the vault is a file in.
    NoDriver(Driver),
}

impl fmt::Display for LocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPartition => f.write_str("The disk with the vault is not there."),
            Self::Vault(error) => error.fmt(f),
            Self::OtherServer => f.write_str("The vault on this disk belongs to another server."),
            Self::Open(errno) => {
                let why = Errno::from_raw(*errno).desc();
                write!(f, "The vault cannot be opened: {why}.")
            }
            Self::NotAllowed(errno) => {
                let why = Errno::from_raw(*errno).desc();
                write!(f, "Looking at the disks is not allowed: {why}.")
            }
            Self::Unread(errno) => {
                let why = Errno::from_raw(*errno).desc();
                write!(
                    f,
                    "The disk with the vault was not found, and one disk cannot be read: {why}."
                )
            }
            Self::NoDriver(Driver { filesystem, module }) => write!(
                f,
                "The vault cannot be opened: this kernel has no driver for {} (module {module}).",
                filesystem.title()
            ),
        }
    }
}

impl From<MountError> for LocateError {
    fn from(error: MountError) -> Self {
        match error {
            MountError::NoDriver(driver) => Self::NoDriver(driver),
            MountError::Failed(errno @ (Errno::EACCES | Errno::EPERM)) => {
                Self::NotAllowed(errno as i32)
            }
            MountError::Failed(errno) => Self::Open(errno as i32),
            MountError::Format(_) => Self::Open(libc::EINVAL),
        }
    }
}

impl LocateError {
    /// Whether a disk is missing or does not answer; otherwise the disk was read,
    /// and what it holds cannot be used.
    pub fn is_of_the_disk(&self) -> bool {
        match self {
            Self::NoPartition | Self::Vault(VaultError::Device(_)) => true,
            Self::Open(errno) | Self::Unread(errno) => matches!(
                *errno,
                libc::EIO | libc::ENXIO | libc::ENODEV | libc::ENOMEDIUM | libc::ETIMEDOUT
            ),
            Self::Vault(_) | Self::OtherServer | Self::NotAllowed(_) | Self::NoDriver(_) => false,
        }
    }

    /// Whether there is nothing to be read as this server's vault: its disk does not
    /// answer, or holds no vault that is whole. Not where it may be whole, and this
    /// disk, kernel or version is the wrong one, or somebody uses it.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::NoPartition => true,
            Self::Vault(error) => matches!(
                error,
                VaultError::NotAVault
                    | VaultError::Damaged
                    | VaultError::Older
                    | VaultError::Device(_)
            ),
            // The file is gone, or its filesystem is damaged: ext4 says EUCLEAN, and
            // EBADMSG where a checksum is wrong.
            Self::Open(libc::ENOENT | libc::EINVAL | libc::EUCLEAN | libc::EBADMSG) => true,
            Self::Open(_) | Self::Unread(_) => self.is_of_the_disk(),
            Self::OtherServer | Self::NotAllowed(_) | Self::NoDriver(_) => false,
        }
    }

    /// The error to tell where several disks were looked at: what is wrong with the
    /// vault's partition, before what is wrong with a disk that it may be on.
    pub(super) fn or_graver(self, other: Self) -> Self {
        let rank = |error| match error {
            Self::NoPartition => 0,
            Self::Unread(_) => 1,
            Self::NotAllowed(_) => 2,
            Self::Vault(_) | Self::OtherServer | Self::Open(_) | Self::NoDriver(_) => 3,
        };
        match rank(other) > rank(self) {
            true => other,
            false => self,
        }
    }
}

impl From<VaultError> for LocateError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

#[cfg(test)]
mod tests;
