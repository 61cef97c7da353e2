//! What the vault says, read once. The vault itself is open only for moments:
//! kept in a file, its filesystem would be mounted for as long as the prompt
//! waits, and found unclean after a power cut.

use super::assessment::Situation;
use super::messages::WaysIn;
use crate::environment::Observed;
use crate::theft::{TheftPolicy, TheftState, WayBack};
use crate::vault::{
    BlockDevice, EnvironmentSlot, Header, Policy, SlotTable, StickList, Unproven, Vault, VaultError,
};

/// One view of a vault that was found. Nothing in it is proven.
pub struct Snapshot {
    pub header: Header,
    pub slots: Result<Box<SlotTable>, VaultError>,
    pub state: Result<TheftState, VaultError>,
    /// `None` where it cannot be read; the same of the list.
    pub policy: Option<Unproven<Policy>>,
    pub sticks: Option<Unproven<StickList>>,
}

impl Snapshot {
    /// Reads everything that a boot decides by.
    pub fn of<D: BlockDevice>(vault: &Vault<D>) -> Self {
        Self {
            header: vault.header().clone(),
            slots: vault.slots(),
            state: vault.state(),
            policy: vault.unproven_policy().ok(),
            sticks: vault.unproven_sticks().ok(),
        }
    }

    /// Armed where the state cannot be read: the slots cannot be either.
    pub fn state(&self) -> TheftState {
        self.state.unwrap_or(TheftState::Armed)
    }

    /// The safe one where it cannot be read.
    pub fn theft_policy(&self) -> TheftPolicy {
        let policy = self.policy.as_ref();
        policy.map_or_else(TheftPolicy::default, |policy| policy.as_claimed().theft)
    }

    /// The slots, or why they cannot be read.
    pub fn slots(&self) -> Result<&SlotTable, VaultError> {
        self.slots.as_deref().map_err(|error| *error)
    }

    /// The place that was enrolled first, if the slots can be read.
    pub fn home(&self) -> Option<&EnvironmentSlot> {
        self.slots().ok()?.environments.first().map(Box::as_ref)
    }

    /// The sticks that are said to be this server's; `None` where the list
    /// cannot be read.
    pub fn listed(&self) -> Option<&StickList> {
        self.sticks.as_ref().map(Unproven::as_claimed)
    }

    /// Whether the owner gets in when the `plugged` sticks are lost. Whoever
    /// wrote a wrong list could destroy the pepper as well.
    pub fn way_back(&self, plugged: &[[u8; 8]]) -> WayBack {
        let generation = self.header.generation;
        self.listed()
            .map_or(WayBack::None, |list| list.way_back(generation, plugged))
    }

    /// What follows from it where this is `observed`.
    pub fn situation<'a>(&'a self, observed: &'a Observed) -> Situation<'a> {
        Situation {
            slots: self.slots(),
            state: self.state(),
            observed,
        }
    }

    /// The ways in that it lists.
    pub fn ways_in(&self) -> WaysIn {
        let code = self.listed().is_some_and(|list| {
            let code = list.code_of(self.header.generation);
            code.is_some()
        });
        let passphrase = self
            .slots()
            .is_ok_and(|slots| !slots.passphrases.is_empty());
        WaysIn { passphrase, code }
    }
}
