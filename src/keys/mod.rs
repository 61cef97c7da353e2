//! The master key, what is derived from it, and how it is wrapped. Pure, but
//! for the system call that gets random bytes.

mod check;
mod keyring;
mod master;
mod random;
mod recovery_code;
mod seal;
mod stretch;
mod way;
mod wrap;

pub use check::CheckValue;
pub use keyring::{EarlierKeys, Keyring, MAX_EARLIER};
pub use master::{MasterKey, Secret32};
pub use random::{fill_random, random_bytes};
pub use recovery_code::{CODE_GROUPS, CodeError, GROUP_LETTERS, RecoveryCode, TypedCode};
pub use seal::{Sealed, UnsealError, open, seal};
#[cfg(test)]
pub use stretch::{CheapFactors, counted::scrypts_of};
pub use stretch::{ScryptParams, Stretch, StretchError};
pub use way::{SealedWayKey, UnsealedWayKey, Way, WayKey, WayKind};
pub use wrap::{Unwrapped, WrappedKey};
