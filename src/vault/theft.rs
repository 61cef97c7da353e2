//! What happens to the vault of a server that may have been stolen: strikes,
//! the reset, and the ways back.

use super::destruction::{self, Destroyed};
use super::layout::STATE;
use super::{BlockDevice, Policy, StickList, Vault, VaultError, authenticated, store};
use crate::keys::MasterKey;
use crate::theft::{ResetCause, TheftState};

impl<D: BlockDevice> Vault<D> {
    /// Puts safe settings in place of what does not prove, so that the owner
    /// gets in again: the default policy, the list of `sticks` that are known
    /// to be the owner's, and an armed state where there is none that can be
    /// read.
    ///
    /// Whom MariaDB's keys are released to is taken over from a policy that
    /// decodes: whoever wrote it can also write the root filesystem, which is
    /// not encrypted, and let root read the keys there. Without it the database
    /// would not start.
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

    /// Writes that the server was opened: no strikes count any more.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn arm(&mut self, key: &MasterKey) -> Result<(), VaultError> {
        self.write_proven(key, &TheftState::Armed)
    }

    /// Counts a boot in a foreign place. There is no master key then, so the
    /// record is not proven.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn strike(&mut self, strikes: u8, boot_id: [u8; 16]) -> Result<(), VaultError> {
        self.write_unproven(&TheftState::Suspect { strikes, boot_id })
    }

    /// The security reset: destroys both peppers and all slots. First *reset
    /// begun* is recorded; whoever opens the vault after a power cut goes on
    /// with it. `verified` is called as soon as the pepper is found destroyed.
    ///
    /// # Errors
    /// [`VaultError::Device`] when the theft state cannot be written; the
    /// pepper is destroyed all the same, and the vault is found damaged.
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

    /// The reset from its second step on.
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

    /// Only the theft state is ever written like this.
    fn write_unproven(&mut self, state: &TheftState) -> Result<(), VaultError> {
        let payload = authenticated::encode_unproven(state);
        store::write(&mut self.device, STATE, &payload)
    }
}
