//! The destruction of this server's keys, as at the prompt.

use crate::admin::mariadb_service::end_starts;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::ProblemKind;
use crate::reset::{Reset, ResetReport};
use crate::stick::PluggedKeys;
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, reset_target};

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
    let conf = vault_conf().map_err(|problem| match problem.kind {
        ProblemKind::NotThere => LocateError::NoPartition,
        ProblemKind::NotAllowed => LocateError::NotAllowed(libc::EACCES),
        _ => LocateError::Open(libc::EINVAL),
    });
    reset.destroy(conf.and_then(|conf| reset_target(&conf)), || {
        if let Err(problem) = end_starts() {
            log::warn!("{}", problem.what);
        }
    })
}
