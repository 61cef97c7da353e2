//! The theft state that is stored in the vault.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The theft state, read before anything else at every boot. A value that this
/// version does not know does not decode, and nothing is released.
///
/// `Armed` is written with the master key, so it is proven by it. The others are
/// believed unproven: whoever can write to the disk can lock the server with
/// them, but could destroy the vault as well. A `Reset` is proven once the list of
/// sticks was written after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TheftState {
    /// The server may open by itself where it belongs.
    Armed,
    /// The server was started in foreign places since it last opened.
    Suspect {
        /// How many such boots; at least 1.
        strikes: u8,
        /// The kernel's random id of the boot that was counted last.
        boot_id: [u8; 16],
    },
    /// The pepper is being destroyed. A boot that finds this finishes it.
    ResetBegun {
        /// Why it is destroyed.
        cause: ResetCause,
        /// Seconds since 1970 (UTC).
        time: u64,
    },
    /// The pepper is destroyed: only a stick or the recovery code opens.
    Reset {
        /// Why it was destroyed.
        cause: ResetCause,
        /// When it was begun, in seconds since 1970 (UTC).
        time: u64,
    },
}

/// Why the pepper was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResetCause {
    /// The limit of boots in foreign places was reached.
    Strikes,
    /// The limit of wrong PINs, passphrases and codes was reached.
    WrongEntries,
    /// Somebody asked for it at the prompt and typed the server's name.
    Prompt,
    /// Root ran `stayput reset`.
    Owner,
    /// Somebody entered a duress passphrase.
    Duress,
    /// The running server seemed to be carried away.
    Watch,
}

impl fmt::Display for ResetCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strikes => "after too many starts in foreign places",
            // The two must look alike: whoever forced the passphrase may read
            // this.
            Self::WrongEntries | Self::Duress => "after too many wrong entries",
            Self::Prompt => "as somebody asked for at the prompt",
            Self::Owner => "as root asked for",
            Self::Watch => "after it was carried away while it ran",
        })
    }
}

impl TheftState {
    /// Boots in foreign places since the server last opened.
    pub fn strikes(&self) -> u8 {
        match self {
            Self::Suspect { strikes, .. } => *strikes,
            Self::Armed | Self::ResetBegun { .. } | Self::Reset { .. } => 0,
        }
    }

    /// Whether the pepper is, or is about to be, destroyed.
    pub fn is_reset(&self) -> bool {
        matches!(self, Self::ResetBegun { .. } | Self::Reset { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_tell_a_duress_passphrase_by_the_cause() {
        let wrong = ResetCause::WrongEntries.to_string();
        assert_eq!(wrong, "after too many wrong entries");
        assert_eq!(ResetCause::Duress.to_string(), wrong);
    }
}
