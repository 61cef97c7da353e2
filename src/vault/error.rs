//! The errors of the vault.

use core::fmt;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// Why a vault cannot be read or written; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VaultError {
    /// Reading or writing the disk failed, with this errno.
    Device(i32),
    /// There is no vault.
    NotAVault,
    /// A record of the vault is damaged.
    Damaged,
    /// The pepper is damaged: no slot opens the vault any more, but a stick
    /// does.
    PepperDamaged,
    /// Written by a newer version of stayput.
    Newer,
    /// In a format of before the first release, which is not read any more.
    Older,
    /// The server was reset: no slot opens the vault, a stick does.
    WasReset,
    /// A record was changed by somebody who does not have the master key.
    Altered,
    /// The key is not this server's.
    WrongKey,
    /// Another process is writing the vault: its id, where that is known.
    Busy(Option<u32>),
    /// Another process has changed what was read.
    Changed,
}

impl VaultError {
    /// Whether it is what a reset leaves where the slots were. It may also have been cut
    /// off, or the disk be damaged.
    pub const fn may_be_a_reset(self) -> bool {
        matches!(self, Self::WasReset | Self::PepperDamaged | Self::Damaged)
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(errno) => write!(
                f,
                "The disk that holds the vault does not answer: {}.",
                Errno::from_raw(*errno).desc()
            ),
            Self::NotAVault => f.write_str("There is no vault."),
            Self::Damaged => f.write_str("The vault is damaged."),
            Self::PepperDamaged => f.write_str(
                "The vault is damaged: no place or passphrase opens it any more. A backup stick does.",
            ),
            Self::WasReset => f.write_str(
                "This server was reset: only a backup stick or the recovery code opens it.",
            ),
            Self::Newer => f.write_str("The vault was written by a newer version of stayput."),
            Self::Older => f.write_str(
                "The vault was made by an older version of stayput, whose format is not read any more.",
            ),
            Self::Altered => {
                f.write_str("The vault was changed by somebody who does not have the key.")
            }
            Self::WrongKey => f.write_str("This key is not the key of this server."),
            Self::Busy(Some(process)) => {
                write!(f, "Process {process} is writing the vault.")
            }
            Self::Busy(None) => f.write_str("Another process is writing the vault."),
            Self::Changed => {
                f.write_str("Another command has changed the vault since this one read it.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_disk_is_named_in_words() {
        let said = VaultError::Device(Errno::EIO as i32).to_string();
        assert_eq!(
            said,
            "The disk that holds the vault does not answer: I/O error."
        );
    }

    #[test]
    fn who_writes_the_vault_is_named_where_known() {
        assert_eq!(
            VaultError::Busy(Some(4711)).to_string(),
            "Process 4711 is writing the vault."
        );
    }
}
