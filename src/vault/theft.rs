//! Writes what theft is about: strikes, the reset, arming, and mending altered
//! settings.

use super::authenticated;
use super::destruction::{self, Destroyed};
use super::layout::HEADER;
use super::{BlockDevice, Policy, SlotTable, StickList, Vault, VaultError, Ways, Written};
use crate::keys::{EarlierKeys, MasterKey};
use crate::theft::{ResetCause, TheftState};

impl<D: BlockDevice> Vault<D> {
    /// Writes safe settings in place of altered ones, so that the owner gets in
    /// again: the default policy, the list `sticks`, and the state *armed*
    /// where it cannot be read.
    ///
    /// The release of MariaDB's keys is taken from the altered policy, where
    /// that decodes. Otherwise the database would not start. It opens no new
    /// way: whoever wrote that policy can also write the unencrypted root
    /// filesystem and read the keys as root.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`], [`VaultError::Busy`].
    pub fn mend(&mut self, key: &MasterKey, sticks: &StickList) -> Result<Written, VaultError> {
        self.exclusively(|vault| vault.mend_now(key, sticks))
    }

    /// Puts the earlier master keys back that a stick has, where somebody has changed those
    /// in the header: without them nothing is released.
    ///
    /// # Errors
    /// As [`Vault::mend`]; [`VaultError::Changed`] where another process has written the
    /// header, which names the slots in force, since it was read.
    pub fn restore_earlier(
        &mut self,
        key: &MasterKey,
        earlier: &EarlierKeys,
    ) -> Result<Written, VaultError> {
        self.exclusively(|vault| {
            vault.must_be_current(HEADER)?;
            let mut header = vault.header.clone();
            header.earlier = earlier.clone();
            match vault.header.keyring(key).is_err() && header.keyring(key).is_ok() {
                true => vault.write_header(header),
                false => Ok(Written::Twice),
            }
        })
    }

    fn mend_now(&mut self, key: &MasterKey, sticks: &StickList) -> Result<Written, VaultError> {
        let mut written = Written::Twice;
        if self.read_proven::<Policy>(key).is_err() {
            let mariadb = self
                .unproven_policy()
                .ok()
                .and_then(|old| old.as_claimed().mariadb.clone());
            let policy = Policy {
                mariadb,
                ..Policy::default()
            };
            written = written.and(self.write_proven(key, &policy)?);
        }
        if self.read_proven::<StickList>(key).is_err() {
            written = written.and(self.write_proven(key, sticks)?);
        }
        if self.read_proven::<Ways>(key).is_err() {
            let ways = self.ways(key)?;
            written = written.and(self.write_proven(key, &ways)?);
        }
        if self.state().is_err() {
            written = written.and(self.write_proven(key, &TheftState::Armed)?);
        }
        if self.proven_slots(key).err() == Some(VaultError::Altered) {
            let nobody = SlotTable::default();
            written = written.and(self.replace_slots_now(key, &nobody)?);
        }
        Ok(written)
    }

    /// Counts a boot in a foreign place. There is no master key then, so the
    /// record is not proven. A reset stays.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::Busy`], [`VaultError::WasReset`].
    pub fn strike(&mut self, strikes: u8, boot_id: [u8; 16]) -> Result<Written, VaultError> {
        let suspect = TheftState::Suspect { strikes, boot_id };
        self.write_state_unless_reset(|_| Ok(authenticated::encode_unproven(&suspect)))
    }

    /// The security reset: destroys both peppers and all slots, as far as the
    /// disk takes it. `verified` is called as soon as the pepper is found
    /// destroyed.
    pub fn reset(&mut self, cause: ResetCause, time: u64, verified: &mut dyn FnMut()) -> Destroyed {
        let destroyed = destruction::reset(&mut self.device, cause, time, verified);
        self.state_was_written();
        destroyed
    }

    /// The reset that the theft state tells of, from its second step on.
    pub(super) fn finish_reset(&mut self) -> Option<Destroyed> {
        let (TheftState::ResetBegun { cause, time } | TheftState::Reset { cause, time }) =
            self.state().ok()?
        else {
            return None;
        };
        let destroyed = destruction::finish(&mut self.device, cause, time, &mut || ());
        self.state_was_written();
        Some(destroyed)
    }
}
