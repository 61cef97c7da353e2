//! The destruction of this server's keys, as at the prompt.

use crate::admin::mariadb_service::stop_a_start;
use crate::reset::{Reset, ResetReport};
use crate::stick::PluggedKeys;
use crate::theft::ResetCause;
use crate::vault::Vault;
use crate::vault::locate::VaultDisk;

/// Destroys the pepper, the slots and the released keys; with `wipe` also the
/// keys on the sticks that are plugged in. A MariaDB that is just starting is
/// stopped before its keys go.
pub fn destroy_keys(
    vault: &mut Vault<VaultDisk>,
    cause: ResetCause,
    plugged: &PluggedKeys,
    wipe: bool,
) -> ResetReport {
    let reset = Reset {
        cause,
        plugged,
        wipe,
    };
    reset.destroy(Ok(vault), stop_a_start)
}
