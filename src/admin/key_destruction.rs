//! The destruction of this server's keys, as at the prompt.

use std::time::Duration;

use crate::admin::mariadb_service::end_starts;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::ProblemKind;
use crate::release::Turn;
use crate::reset::{Reset, ResetReport};
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk, reset_target};
use crate::vault::{Destroyed, ResetTarget};

/// Who releases keys has done so within milliseconds.
const TURN_WAITS: Duration = Duration::from_secs(2);

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
        end_starts_in_turn(|problem| log::warn!("{problem}"))
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

/// Lets no stick count that was seen to open the server since its reset: one of them is
/// about to be wiped.
///
/// # Errors
/// When the vault cannot be found or written, or does not say that it was reset.
pub fn doubt_sticks() -> Result<(), LocateError> {
    target()?.doubt_sticks()?;
    Ok(())
}

/// Lets no start of MariaDB begin, and ends one that is under way; until the turn is
/// given back, nobody releases keys. What fails is told, and the keys go all the same.
pub fn end_starts_in_turn(tell: impl Fn(String)) -> Option<Turn> {
    let turn = Turn::take(TURN_WAITS);
    if let Err(problem) = end_starts() {
        tell(problem.what);
    }
    turn.map_err(|error| tell(format!("another command is releasing keys: {error}")))
        .ok()
}

fn target() -> Result<ResetTarget<VaultDisk>, LocateError> {
    let conf = vault_conf().map_err(|problem| match problem.kind {
        ProblemKind::NotThere => LocateError::NoPartition,
        ProblemKind::NotAllowed => LocateError::NotAllowed(libc::EACCES),
        _ => LocateError::Open(libc::EINVAL),
    })?;
    reset_target(&conf)
}
