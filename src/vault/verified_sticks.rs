//! Which sticks of the list count as verified. A reset wipes those that are plugged in, and
//! nobody knows which they were: none counts then but those that were seen to open the
//! server since. That the list was written after the reset is said by the theft state: a
//! reset writes it without the master key, and who writes the list proves it.

use super::layout::STICKS;
use super::{
    BlockDevice, KnownStick, Proven, ProvenRecords, StickList, Vault, VaultError, Written,
};
use crate::keys::MasterKey;
use crate::theft::{TheftState, WayBack};

impl<D: BlockDevice> Vault<D> {
    /// Puts `sticks` in place of the list that this vault has read. Where the server was
    /// reset before that, the sticks that it calls verified count from now on; whatever
    /// destroys more writes the state without the key, and they do not count any more.
    ///
    /// # Errors
    /// As [`Vault::set_policy`].
    pub fn set_sticks(
        &mut self,
        key: &MasterKey,
        sticks: StickList,
    ) -> Result<(Proven<StickList>, Written), VaultError> {
        let written = self.exclusively(|vault| {
            vault.must_be_current(STICKS)?;
            match vault.write_proven(key, &sticks)? {
                Written::Twice => vault.prove_reset(key),
                // The other copy still is the list from before the reset.
                Written::Once => Ok(Written::Once),
            }
        })?;
        Ok((Proven::new(sticks), written))
    }

    /// Not of a reset that came after this vault was opened: what it has read was the list
    /// from before.
    fn prove_reset(&mut self, key: &MasterKey) -> Result<Written, VaultError> {
        match self.state() {
            Ok(state @ TheftState::Reset { .. }) if !self.was_reset_meanwhile() => {
                self.write_proven(key, &state)
            }
            _ => Ok(Written::Twice),
        }
    }

    /// Whether the list was written after the reset that the state tells of.
    pub(super) fn is_listed_since_reset(&self, key: &MasterKey) -> bool {
        let state = self.read_proven::<TheftState>(key);
        state.is_ok_and(|state| matches!(*state, TheftState::Reset { .. }))
    }

    /// Takes the marks from the disk, where new slots make an end of the reset. A list that
    /// was altered is as good as none.
    pub(super) fn forget_verified_sticks(
        &mut self,
        key: &MasterKey,
    ) -> Result<Written, VaultError> {
        let Ok(list) = self.read_proven::<StickList>(key) else {
            return Ok(Written::Twice);
        };
        self.write_proven(key, &list.draft().after_reset())
    }

    /// Notes that a stick was seen to open the server.
    ///
    /// # Errors
    /// As [`Vault::prove`] and [`Vault::set_sticks`].
    pub fn note_verified(
        &mut self,
        key: &MasterKey,
        seen: KnownStick,
    ) -> Result<(Proven<StickList>, Written), VaultError> {
        let mut list = self.prove(key)?.sticks.draft();
        list.note_verified(seen);
        self.set_sticks(key, list)
    }

    /// Whether a verified stick, plugged in or not, or the code opens this server after a
    /// reset.
    pub fn way_back(&self, key: &MasterKey) -> WayBack {
        let Ok(ProvenRecords { sticks, .. }) = self.prove(key) else {
            return WayBack::None;
        };
        let ways = self.unproven_ways().unwrap_or_default();
        let generation = self.header().generation;
        let listed = sticks.draft().backed_by(ways.as_claimed(), generation);
        listed.way_back(generation, &[])
    }
}
