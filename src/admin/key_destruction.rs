//! The destruction of this server's keys, as at the prompt.

use crate::admin::mariadb_service::end_starts;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::ProblemKind;
use crate::reset::{Reset, ResetReport};
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk, reset_target};
use crate::vault::{Destroyed, ResetTarget};

/// Destroys the pepper, the slots and the released keys, of whatever is left of
/// the vault; with `wipe` also the
/// keys on the sticks that are plugged in. A MariaDB that is just starting is
/// stopped before its keys go.
pub fn destroy_keys(cause: ResetCause, plugged: &PluggedKeys, wipe: bool) -> ResetReport {
    let reset = Reset {
        cause,
        plugged,
        wipe,
    };
    reset.destroy(target(), || {
        if let Err(problem) = end_starts() {
            log::warn!("{}", problem.what);
        }
    })
}

/// Destroys once more the pepper and the slots of a vault that was reset, and nothing
/// else: where a disk has failed, blocks may be left.
///
/// # Errors
/// When the vault cannot be found.
pub fn destroy_pepper(cause: ResetCause) -> Result<Destroyed, LocateError> {
    let mut target = target()?;
    Ok(target.reset(cause, clock::now(), &mut || {}))
}

fn target() -> Result<ResetTarget<VaultDisk>, LocateError> {
    let conf = vault_conf().map_err(|problem| match problem.kind {
        ProblemKind::NotThere => LocateError::NoPartition,
        ProblemKind::NotAllowed => LocateError::NotAllowed(libc::EACCES),
        _ => LocateError::Open(libc::EINVAL),
    })?;
    reset_target(&conf)
}
