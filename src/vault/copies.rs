//! The condition of the two copies of each record, without changing them.

use super::layout::{HEADER, POLICY, STATE, STICKS, WAYS};
use super::{BlockDevice, Vault, store};
use crate::theft::TheftState;

impl<D: BlockDevice> Vault<D> {
    /// Whether a power cut, or a disk that begins to fail, has left something
    /// for [`Vault::open`] to finish.
    pub fn is_interrupted(&self) -> bool {
        self.header().pepper.spare_to_destroy
            || self.header().journal_to_apply
            || matches!(self.state(), Ok(TheftState::ResetBegun { .. }))
            || !self.degraded_records().is_empty()
    }

    /// Names of the records of which only one copy is good: a power cut, or a
    /// disk that begins to fail. [`Vault::open`] mends them as far as the disk
    /// takes it.
    pub fn degraded_records(&self) -> Vec<&'static str> {
        let records = [
            (HEADER, "header"),
            (STATE, "theft state"),
            (POLICY, "policy"),
            (STICKS, "list of sticks"),
            (WAYS, "ways in of sticks and code"),
            (self.header.pepper.area().slots(), "slots"),
        ];
        let once = records
            .into_iter()
            .filter(|(region, _)| store::is_degraded(&self.device, *region));
        once.map(|(_, name)| name).collect()
    }
}
