//! Writes what theft is about: strikes, the reset, arming, and mending altered
//! settings.

use super::destruction::{self, Destroyed};
use super::layout::STATE;
use super::{BlockDevice, Policy, StickList, Vault, VaultError, authenticated, store};
use crate::keys::MasterKey;
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
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn mend(&mut self, key: &MasterKey, sticks: &StickList) -> Result<(), VaultError> {
        if self.read_proven::<Policy>(key).is_err() {
            let mariadb = self
                .unproven_policy()
                .ok()
                .and_then(|old| old.as_claimed().mariadb.clone());
            let policy = Policy {
                mariadb,
                ..Policy::default()
            };
            self.write_proven(key, &policy)?;
        }
        if self.read_proven::<StickList>(key).is_err() {
            self.write_proven(key, sticks)?;
        }
        if self.state().is_err() {
            self.write_proven(key, &TheftState::Armed)?;
        }
        Ok(())
    }

    /// Writes the state *armed*: strikes do not count any more.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn arm(&mut self, key: &MasterKey) -> Result<(), VaultError> {
        self.write_proven(key, &TheftState::Armed)
    }

    /// Writes the state *suspect* for a boot in a foreign place. There is no
    /// master key then, so the record has no HMAC.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn strike(&mut self, strikes: u8, boot_id: [u8; 16]) -> Result<(), VaultError> {
        self.write_unproven(&TheftState::Suspect { strikes, boot_id })
    }

    /// The security reset: destroys both pepper areas and all slots. First the
    /// state *reset begun* is written; after a power cut [`Vault::open`]
    /// continues. `time` is in seconds since 1970 (UTC). `verified` is called
    /// when nothing of the pepper can be read any more.
    ///
    /// # Errors
    /// [`VaultError::Device`] when the theft state cannot be written. The
    /// pepper is destroyed all the same.
    pub fn reset(
        &mut self,
        cause: ResetCause,
        time: u64,
        verified: &mut dyn FnMut(),
    ) -> Result<Destroyed, VaultError> {
        let begun = self.write_unproven(&TheftState::ResetBegun { cause, time });
        let destroyed = self.finish_reset(cause, time, verified);
        begun.and(destroyed)
    }

    /// Continues a reset whose state *reset begun* is written.
    pub(super) fn finish_reset(
        &mut self,
        cause: ResetCause,
        time: u64,
        verified: &mut dyn FnMut(),
    ) -> Result<Destroyed, VaultError> {
        let destroyed = destruction::destroy(&mut self.device, verified);
        self.write_unproven(&TheftState::Reset { cause, time })?;
        Ok(destroyed)
    }

    /// Writes the theft state without HMAC. No other record is written like
    /// this.
    fn write_unproven(&mut self, state: &TheftState) -> Result<(), VaultError> {
        let payload = authenticated::encode_unproven(state);
        store::write(&mut self.device, STATE, &payload)
    }
}
