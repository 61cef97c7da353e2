//! The destruction of this server's keys, as at the prompt.

use std::ffi::OsStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::admin::mariadb_service::end_starts;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::ProblemKind;
use crate::release::{self, Turn};
use crate::reset::Reset;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::{clock, kmsg};
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk, reset_target};
use crate::vault::{Destroyed, ResetTarget};

/// Who releases keys has done so within milliseconds.
const TURN_WAITS: Duration = Duration::from_secs(2);

/// A disk that is well has taken the destruction by then.
const DURESS_TAKES: Duration = Duration::from_secs(1);

/// What became of the keys.
#[derive(Serialize, Deserialize)]
pub struct KeysDestroyed {
    /// How thoroughly pepper and slots were destroyed, or why the vault could not be opened.
    pub destroyed: Result<Destroyed, String>,
    /// How long it took until nothing of the pepper could be read; `None` where a part of
    /// it may still be there.
    pub verified: Option<Duration>,
    pub wiped: Wiped,
    /// Why a stick that was wiped may go on to count as verified.
    pub doubted: Result<(), String>,
    /// A log that cannot be written does not undo what was done.
    pub noted: Result<(), String>,
}

/// For [`destroy_keys`]: behind the cause it is told the keys on plugged sticks.
pub const DESTROY: ChildWork<Option<KeysDestroyed>> = ChildWork::new("destroy-keys", |words| {
    kmsg::use_for_logging();
    let [cause, plugged] = words else {
        return None;
    };
    let cause = serde_json::from_slice(cause.as_encoded_bytes()).ok()?;
    let plugged = serde_json::from_slice(plugged.as_encoded_bytes()).ok()?;
    Some(destroy_here(cause, &plugged, true))
});

/// Has a child destroy the pepper, the slots and the released keys, of whatever is left of
/// the vault, and the keys on the sticks that are plugged in; waits for so long at most. A
/// MariaDB that is just starting is stopped before its keys go.
///
/// # Errors
/// When nobody knows whether it is done: the disk does not answer. A child that is at work
/// goes on, as far as its disk does.
pub fn destroy_keys(
    limit: Duration,
    cause: ResetCause,
    plugged: &PluggedKeys,
) -> Result<KeysDestroyed, NoAnswer> {
    let words = (
        serde_json::to_string(&cause),
        serde_json::to_string(plugged),
    );
    let (Ok(cause), Ok(plugged)) = words else {
        return Err(NoAnswer::AtAll);
    };
    let words = [OsStr::new(&cause), OsStr::new(&plugged)];
    DESTROY.within(limit, &words)?.ok_or(NoAnswer::AtAll)
}

/// For [`destroy_under_duress`]: it is told the keys on plugged sticks, and whether these are
/// destroyed. It says nothing, nor does the kernel's log; and its word tells nothing to whoever
/// lists the processes.
pub const DESTROY_UNDER_DURESS: ChildWork<()> = ChildWork::new("enter-passphrase", |words| {
    let [plugged, wipe] = words else {
        return;
    };
    let plugged = serde_json::from_slice(plugged.as_encoded_bytes());
    let wipe = serde_json::from_slice(wipe.as_encoded_bytes());
    if let (Ok(plugged), Ok(wipe)) = (plugged, wipe) {
        destroy_here(ResetCause::Duress, &plugged, wipe);
    }
});

/// The same under duress, unseen, and the keys on sticks only with `wipe`. Where the disk does
/// not answer within the limit, or a second where that is less, the released keys go all the
/// same.
pub fn destroy_under_duress(limit: Duration, plugged: &PluggedKeys, wipe: bool) {
    let words = (serde_json::to_string(plugged), serde_json::to_string(&wipe));
    if let (Ok(plugged), Ok(wipe)) = words {
        let words = [OsStr::new(&plugged), OsStr::new(&wipe)];
        let _ = DESTROY_UNDER_DURESS.within(limit.max(DURESS_TAKES), &words);
    }
    // A child that still wipes a stick has taken them already.
    if release::is_open() {
        take_keys(|_| {});
    }
}

fn destroy_here(cause: ResetCause, plugged: &PluggedKeys, wipe: bool) -> KeysDestroyed {
    let reset = Reset {
        cause,
        plugged,
        wipe,
    };
    let done = reset.destroy(target(), || {
        end_starts_in_turn(|problem| log::warn!("{problem}"))
    });
    KeysDestroyed {
        destroyed: done.destroyed.map_err(|error| error.to_string()),
        verified: done.verified,
        wiped: done.wiped,
        doubted: done.doubted.map_err(|error| error.to_string()),
        noted: done.noted.map(drop).map_err(|error| error.to_string()),
    }
}

/// Takes the released keys out of memory. A MariaDB that is just starting is stopped before;
/// what fails of that is told, and the keys go all the same.
pub fn take_keys(tell: impl Fn(String)) {
    let turn = end_starts_in_turn(tell);
    release::revoke();
    drop(turn);
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
fn end_starts_in_turn(tell: impl Fn(String)) -> Option<Turn> {
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
