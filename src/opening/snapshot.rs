//! A snapshot of the vault's records. The vault itself is open only for
//! moments: where it is a file, its filesystem would stay mounted while the
//! prompt waits, and would be unclean after a power cut.

use super::assessment::Situation;
use super::messages::WaysIn;
use super::places::Places;
use crate::environment::Observed;
use crate::theft::{TheftPolicy, TheftState, WayBack};
use crate::vault::{
    BlockDevice, EnvironmentSlot, Header, Policy, SlotTable, StickList, Unproven, Vault,
    VaultError, Ways,
};

/// The records of a vault as they were read. Nothing in it is proven.
pub struct Snapshot {
    /// The header.
    pub header: Header,
    /// The slots, or why they cannot be read.
    pub slots: Result<Box<SlotTable>, VaultError>,
    /// The theft state, or why it cannot be read.
    pub state: Result<TheftState, VaultError>,
    /// The policy; `None` where it cannot be read.
    pub policy: Option<Unproven<Policy>>,
    /// The list of sticks; `None` where it cannot be read.
    pub sticks: Option<Unproven<StickList>>,
    /// The ways in of sticks and code; none where they cannot be read.
    pub ways: Unproven<Ways>,
}

impl Snapshot {
    /// Reads all records that a boot decides by.
    pub fn of<D: BlockDevice>(vault: &Vault<D>) -> Self {
        let mut snapshot = Self {
            header: vault.header().clone(),
            slots: vault.slots(),
            state: vault.state(),
            policy: vault.unproven_policy().ok(),
            sticks: vault.listed_sticks().ok(),
            ways: vault.unproven_ways().unwrap_or_default(),
        };
        let may_be_reset = |error: &VaultError| error.may_be_a_reset();
        if snapshot.slots.as_ref().is_err_and(may_be_reset) {
            snapshot.forget_verified_sticks();
        }
        snapshot
    }

    /// After a reset none is known to be a way back: see [`StickList::after_reset`].
    pub fn forget_verified_sticks(&mut self) {
        let listed = self.listed().cloned();
        self.sticks = listed.map(|list| Unproven::new(list.after_reset()));
    }

    /// The theft state. Armed where it cannot be read: then the slots cannot be
    /// read either.
    pub fn state(&self) -> TheftState {
        self.state.unwrap_or(TheftState::Armed)
    }

    /// The policy about theft; the default where it cannot be read.
    pub fn theft_policy(&self) -> TheftPolicy {
        let policy = self.policy.as_ref();
        policy.map_or_else(TheftPolicy::default, |policy| policy.as_claimed().theft)
    }

    /// The slots, or why they cannot be read.
    pub fn slots(&self) -> Result<&SlotTable, VaultError> {
        self.slots.as_deref().map_err(|error| *error)
    }

    /// The place that was enrolled first; `None` where the slots cannot be
    /// read.
    pub fn home(&self) -> Option<&EnvironmentSlot> {
        self.slots().ok()?.environments.first().map(Box::as_ref)
    }

    /// The list of sticks, unproven; `None` where it cannot be read.
    pub fn listed(&self) -> Option<&StickList> {
        self.sticks.as_ref().map(Unproven::as_claimed)
    }

    /// What of the list opens the server by the ways in as they are: see
    /// [`StickList::backed_by`].
    fn that_open(&self) -> Option<StickList> {
        let ways = self.ways.as_claimed();
        let list = self.listed()?.clone();
        Some(list.backed_by(ways, self.header.generation))
    }

    /// Whether the owner has a way in without the `plugged` sticks. The list is
    /// not proven: whoever wrote a false one could destroy the pepper as well.
    pub fn way_back(&self, plugged: &[[u8; 8]]) -> WayBack {
        let generation = self.header.generation;
        self.that_open()
            .map_or(WayBack::None, |list| list.way_back(generation, plugged))
    }

    /// The situation of this server with these observed values, and what was tried of
    /// them.
    pub fn situation<'a>(&'a self, observed: &'a Observed, places: &'a Places) -> Situation<'a> {
        Situation {
            slots: self.slots(),
            state: self.state(),
            observed,
            places,
        }
    }

    /// The ways in besides sticks.
    pub fn ways_in(&self) -> WaysIn {
        let code = self.that_open().is_some_and(|list| {
            let code = list.code_of(self.header.generation);
            code.is_some()
        });
        let passphrase = self
            .slots()
            .is_ok_and(|slots| !slots.passphrases.is_empty());
        WaysIn { passphrase, code }
    }
}
