//! How the two copies of each record stand, for whoever only looks.

use super::layout::{HEADER, POLICY, STATE, STICKS};
use super::{BlockDevice, Vault, VaultError, store};
use crate::theft::TheftState;

impl<D: BlockDevice> Vault<D> {
    /// Whether a power cut, or a disk that begins to fail, has left something
    /// for [`Vault::open`] to finish.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn is_interrupted(&self) -> Result<bool, VaultError> {
        let is_half_way = self.header().pepper.spare_to_destroy
            || matches!(self.state(), Ok(TheftState::ResetBegun { .. }));
        Ok(is_half_way || !self.standing_once()?.is_empty())
    }

    /// Names of the records of which only one copy is good: a power cut, or a
    /// disk that begins to fail. [`Vault::open`] mends them.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn standing_once(&self) -> Result<Vec<&'static str>, VaultError> {
        let mut names = Vec::new();
        for (region, name) in [
            (HEADER, "header"),
            (STATE, "theft state"),
            (POLICY, "policy"),
            (STICKS, "list of sticks"),
            (self.header.pepper.area().slots(), "slots"),
        ] {
            if store::stands_once(&self.device, region)? {
                names.push(name);
            }
        }
        Ok(names)
    }
}
