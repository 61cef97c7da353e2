//! What a record's content is worth. Whoever can write the disk can write
//! anything into it; only the master key tells what this server wrote.

use core::ops::Deref;

use super::{Policy, StickList};
use crate::theft::TheftState;

/// Content as it stands on the disk. It may decide how a server stays locked
/// and whom it asks, never what is released: whoever wrote it could have
/// destroyed the vault as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unproven<T>(T);

/// Content that somebody with the master key wrote. Only the vault makes one:
/// when the master key proves a record, or writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T>(T);

impl<T> Unproven<T> {
    /// Anybody can claim anything.
    pub fn new(content: T) -> Self {
        Self(content)
    }

    /// The content. Whoever calls this says by the name that it is a claim.
    pub fn as_claimed(&self) -> &T {
        &self.0
    }
}

impl<T> Proven<T> {
    pub(super) fn new(content: T) -> Self {
        Self(content)
    }

    /// A copy to be changed. Nothing proves it until the vault has written it.
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

/// What the master key proves about the vault.
#[derive(Clone, Debug)]
pub struct ProvenRecords {
    pub policy: Proven<Policy>,
    pub sticks: Proven<StickList>,
    pub state: TheftState,
    /// Otherwise the state says armed, and nobody with the master key wrote
    /// that: [`super::Vault::arm`] mends it.
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
