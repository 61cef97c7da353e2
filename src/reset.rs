//! The security reset: destroys the pepper and the slots, then the released
//! keys, then keys on plugged sticks, and appends to the vault's log.

use std::time::{Duration, Instant};

use crate::release;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::clock;
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk};
use crate::vault::{Destroyed, EventKind, ResetTarget, VaultError, Written};

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
    /// Why a stick that was wiped may go on to count as verified.
    pub doubted: Result<(), VaultError>,
    /// A log that cannot be written does not undo what was done.
    pub noted: Result<Written, VaultError>,
}

impl Reset<'_> {
    /// Says nothing. Whatever the disk says, the released keys go too; one that cannot
    /// be found is given as its error. The sticks are wiped only where the reset shows
    /// ([`ResetTarget::lets_sticks_be_wiped`]): else the vault's list would count a wiped
    /// one as a way back.
    /// `before_the_keys_go` is called when the pepper is destroyed and the released files
    /// are still there; what it gives is held until they are gone.
    pub fn destroy<T>(
        &self,
        target: Result<ResetTarget<VaultDisk>, LocateError>,
        before_the_keys_go: impl FnOnce() -> T,
    ) -> ResetReport {
        let start = Instant::now();
        let begun = clock::now();
        let mut verified = None;
        let mut note_time = || verified = Some(start.elapsed());
        let target = target.map(|mut target| {
            let destroyed = target.reset(self.cause, begun, &mut note_time);
            (target, destroyed)
        });
        let held = before_the_keys_go();
        release::revoke();
        drop(held);
        let may_wipe = target
            .as_ref()
            .is_ok_and(|(target, destroyed)| target.lets_sticks_be_wiped(destroyed));
        let wiped = match (self.wipe, may_wipe) {
            (true, true) => self.plugged.wipe(),
            (true, false) => self.plugged.leave_unwiped(),
            (false, _) => self.plugged.leave(),
        };
        let mut doubted = Ok(());
        let (destroyed, noted) = match target {
            Ok((mut target, destroyed)) => {
                // Another command may have seen one of them open the server just before.
                if wiped.wiped > 0 {
                    doubted = target.doubt_wiped_sticks();
                }
                (Ok(destroyed), self.note(&mut target, begun, &wiped))
            }
            Err(error) => (Err(error), Ok(Written::Twice)),
        };
        ResetReport {
            destroyed,
            verified,
            wiped,
            doubted,
            noted,
        }
    }

    /// Appends to the vault's log. `begun` is `None` where the vault was not
    /// reset.
    fn note(
        &self,
        target: &mut ResetTarget<VaultDisk>,
        begun: u64,
        wiped: &Wiped,
    ) -> Result<Written, VaultError> {
        let cause = self.cause;
        let Wiped { wiped, left, .. } = *wiped;
        let sticks = (wiped + left > 0).then_some(EventKind::SticksWiped { wiped, left });
        let kinds = [EventKind::Reset { cause, begun }]
            .into_iter()
            .chain(sticks);
        kinds
            .map(|kind| target.append(clock::now(), clock::boot_id(), kind))
            .try_fold(Written::Twice, |all, written| Ok(all.and(written?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Discarded;

    /// A disk that takes no writes keeps its pepper, and its list of verified sticks.
    #[test]
    fn no_stick_is_wiped_beside_a_vault_that_is_as_it_was() {
        let shows = |state, failed, is_gone| {
            let destroyed = Destroyed {
                failed,
                discarded: Discarded::No,
                state,
                is_gone,
            };
            destroyed.shows()
        };
        let refused = Err(VaultError::Device(libc::EIO));
        assert!(!shows(refused, 240, false));
        assert!(shows(refused, 0, true));
        assert!(shows(Ok(Written::Once), 1, false));
    }
}
