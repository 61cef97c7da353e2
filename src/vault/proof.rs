//! Types for proven and unproven records. Whoever can write to the disk can
//! write any record; only the master key tells which were written by this
//! server.

use core::ops::Deref;

use super::{Policy, StickList};
use crate::keys::Keyring;
use crate::theft::TheftState;

/// Content read from the disk without the master key. It may decide how a
/// server stays locked and whom it asks, because whoever wrote it could have
/// destroyed the vault as well. It never decides what is released.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unproven<T>(T);

/// Content that was written with the master key. Only the vault makes one, when
/// the master key proves a record or writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T>(T);

impl<T> Unproven<T> {
    /// Marks content as unproven.
    pub fn new(content: T) -> Self {
        Self(content)
    }

    /// The content; the name reminds the caller that it is only a claim.
    pub fn as_claimed(&self) -> &T {
        &self.0
    }
}

impl<T> Proven<T> {
    pub(super) fn new(content: T) -> Self {
        Self(content)
    }

    /// A copy to be changed. It is unproven until the vault has written it.
    pub fn draft(&self) -> T
    where
        T: Clone,
    {
        self.0.clone()
    }
}

impl<T> Deref for Proven<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The records that decide about a release, proven by the master key.
#[derive(Clone, Debug)]
pub struct ProvenRecords {
    /// The master keys of this server.
    pub keys: Keyring,
    /// The policy.
    pub policy: Proven<Policy>,
    /// The list of sticks.
    pub sticks: Proven<StickList>,
    /// The theft state.
    pub state: TheftState,
    /// Whether the state is believed: `false` where it is *armed* without a
    /// right HMAC. Then [`super::Vault::arm`] puts it right.
    pub state_proven: bool,
}

// What the disk says, or a caller makes up, never becomes proven.
#[cfg(test)]
mod only_the_vault_proves {
    use super::*;
    use static_assertions::assert_not_impl_any;

    assert_not_impl_any!(
        Proven<Policy>: From<Policy>, From<Unproven<Policy>>, Default, core::ops::DerefMut,
        serde::de::DeserializeOwned
    );
    assert_not_impl_any!(Unproven<Policy>: Deref, AsRef<Policy>, Into<Policy>);
}
