//! The security reset of this server, whatever asks for it: the pepper and the
//! slots, then what was released, then keys on sticks that are plugged in, and
//! two lines in the vault's log.

use std::time::{Duration, Instant};

use crate::release;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::clock;
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk};
use crate::vault::{Destroyed, EventKind, Vault, VaultError};

/// What is to be done besides destroying the pepper.
pub struct Reset<'a> {
    /// Why, as the log and the prompt will say.
    pub cause: ResetCause,
    /// This server's keys on sticks that are plugged in.
    pub plugged: &'a PluggedKeys,
    /// Whether these are destroyed as well; else they are left.
    pub wipe: bool,
}

/// What became of it.
pub struct Done {
    /// How thoroughly the pepper was destroyed, or why not.
    pub destroyed: Result<Destroyed, LocateError>,
    /// When the pepper was found to be gone, since the start; `None` where a
    /// part of it may still be there.
    pub verified: Option<Duration>,
    /// What became of the keys on plugged sticks.
    pub wiped: Wiped,
    /// A log that cannot be written does not undo what was done.
    pub noted: Result<(), VaultError>,
}

impl Reset<'_> {
    /// Says nothing. Whatever the vault says, the rest goes too; one that could
    /// not be opened is given as its error. `before_the_keys_go` is called when
    /// the pepper is destroyed and the released files are still there.
    pub fn destroy(
        &self,
        vault: Result<&mut Vault<VaultDisk>, LocateError>,
        before_the_keys_go: impl FnOnce(),
    ) -> Done {
        let start = Instant::now();
        let begun = clock::now();
        let mut verified = None;
        let mut note_time = || verified = Some(start.elapsed());
        let vault = vault.map(|vault| {
            let destroyed = vault.reset(self.cause, begun, &mut note_time);
            (vault, destroyed)
        });
        before_the_keys_go();
        release::take_back();
        let wiped = match self.wipe {
            true => self.plugged.wipe(),
            false => self.plugged.leave(),
        };
        let (destroyed, noted) = match vault {
            Ok((vault, destroyed)) => {
                let noted = self.note(vault, destroyed.is_ok().then_some(begun), wiped);
                (destroyed.map_err(LocateError::from), noted)
            }
            Err(error) => (Err(error), Ok(())),
        };
        Done {
            destroyed,
            verified,
            wiped,
            noted,
        }
    }

    /// `begun` where the vault has taken it.
    fn note(
        &self,
        vault: &mut Vault<VaultDisk>,
        begun: Option<u64>,
        wiped: Wiped,
    ) -> Result<(), VaultError> {
        let cause = self.cause;
        let Wiped { wiped, left } = wiped;
        let sticks = (wiped + left > 0).then_some(EventKind::SticksWiped { wiped, left });
        begun
            .map(|begun| EventKind::Reset { cause, begun })
            .into_iter()
            .chain(sticks)
            .try_for_each(|kind| vault.append(clock::now(), clock::boot_id(), kind))
    }
}
