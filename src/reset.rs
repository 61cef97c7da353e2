//! The security reset: destroys the pepper and the slots, then the released
//! keys, then keys on plugged sticks, and appends to the vault's log.

use std::time::{Duration, Instant};

use crate::release;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::clock;
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk};
use crate::vault::{Destroyed, EventKind, Vault, VaultError};

/// A reset to be done.
pub struct Reset<'a> {
    /// Why, for the log and the prompt.
    pub cause: ResetCause,
    /// This server's keys on plugged sticks.
    pub plugged: &'a PluggedKeys,
    /// Whether these are destroyed too.
    pub wipe: bool,
}

/// The result of a reset.
pub struct ResetReport {
    /// How thoroughly pepper and slots were destroyed, or why the vault could
    /// not be opened or written.
    pub destroyed: Result<Destroyed, LocateError>,
    /// How long it took until nothing of the pepper could be read; `None` where
    /// a part of it may still be there.
    pub verified: Option<Duration>,
    /// How many keys on plugged sticks were destroyed.
    pub wiped: Wiped,
    /// Whether the vault's log was written.
    pub noted: Result<(), VaultError>,
}

impl Reset<'_> {
    /// Does the reset; logs and prints nothing. Pass an error where the vault
    /// could not be opened: the rest is destroyed all the same.
    /// `before_the_keys_go` is called after the pepper was destroyed and before
    /// the released keys are.
    pub fn destroy(
        &self,
        vault: Result<&mut Vault<VaultDisk>, LocateError>,
        before_the_keys_go: impl FnOnce(),
    ) -> ResetReport {
        let start = Instant::now();
        let begun = clock::now();
        let mut verified = None;
        let mut note_time = || verified = Some(start.elapsed());
        let vault = vault.map(|vault| {
            let destroyed = vault.reset(self.cause, begun, &mut note_time);
            (vault, destroyed)
        });
        before_the_keys_go();
        release::revoke();
        let wiped = match self.wipe {
            true => self.plugged.wipe(),
            false => self.plugged.leave(),
        };
        let (destroyed, noted) = match vault {
            Ok((vault, destroyed)) => {
                let noted = self.note(vault, destroyed.is_ok().then_some(begun), &wiped);
                (destroyed.map_err(LocateError::from), noted)
            }
            Err(error) => (Err(error), Ok(())),
        };
        ResetReport {
            destroyed,
            verified,
            wiped,
            noted,
        }
    }

    /// Appends to the vault's log. `begun` is `None` where the vault was not
    /// reset.
    fn note(
        &self,
        vault: &mut Vault<VaultDisk>,
        begun: Option<u64>,
        wiped: &Wiped,
    ) -> Result<(), VaultError> {
        let cause = self.cause;
        let Wiped { wiped, left, .. } = *wiped;
        let sticks = (wiped + left > 0).then_some(EventKind::SticksWiped { wiped, left });
        begun
            .map(|begun| EventKind::Reset { cause, begun })
            .into_iter()
            .chain(sticks)
            .try_for_each(|kind| vault.append(clock::now(), clock::boot_id(), kind))
    }
}
