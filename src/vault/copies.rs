//! The condition of the two copies of each record, without changing them.

use super::layout::{HEADER, POLICY, STATE, STICKS};
use super::{BlockDevice, Vault, VaultError, store};
use crate::theft::TheftState;

impl<D: BlockDevice> Vault<D> {
    /// Whether [`Vault::open`] would have something to finish or repair, after
    /// a power cut or on a failing disk.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn is_interrupted(&self) -> Result<bool, VaultError> {
        let is_half_way = self.header().pepper.spare_to_destroy
            || matches!(self.state(), Ok(TheftState::ResetBegun { .. }));
        Ok(is_half_way || !self.degraded_records()?.is_empty())
    }

    /// Names of the records of which only one copy is whole, after a power cut
    /// or on a failing disk. [`Vault::open`] repairs them.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn degraded_records(&self) -> Result<Vec<&'static str>, VaultError> {
        let mut names = Vec::new();
        for (region, name) in [
            (HEADER, "header"),
            (STATE, "theft state"),
            (POLICY, "policy"),
            (STICKS, "list of sticks"),
            (self.header.pepper.area().slots(), "slots"),
        ] {
            if store::is_degraded(&self.device, region)? {
                names.push(name);
            }
        }
        Ok(names)
    }
}
