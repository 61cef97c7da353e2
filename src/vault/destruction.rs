//! Destroys the pepper and the slots, so that no slot opens any more.
//!
//! The caller writes the theft state *reset begun* before, and *reset*
//! afterwards. After an interruption it is done again from the start.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::layout::{Area, BLOCK_SIZE, HALF, HEADER, LOG_NEWEST, PEPPER_BLOCKS};
use super::layout::{POLICY, STATE, STICKS, WAYS};
use super::{
    BlockDevice, Discarded, EventKind, Header, ServerId, VaultError, Written, authenticated,
    event_log, store,
};
use crate::keys::fill_random;
use crate::theft::{ResetCause, TheftState};

/// How thoroughly the pepper and the slots were destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroyed {
    /// Blocks of 4096 bytes that could not be overwritten or were not read back
    /// as written: they may still hold the old content.
    pub failed: u32,
    /// How the disk discarded the blocks, besides being overwritten.
    pub discarded: Discarded,
    /// Whether the vault says that it was reset. Where it does not, it is found
    /// damaged.
    pub state: Result<Written, VaultError>,
    /// Whether nothing of the pepper could be read any more, once it was overwritten.
    pub is_gone: bool,
}

impl Destroyed {
    /// Whether the vault shows that no stick on its list counts any more: it says that it
    /// was reset, or nothing is left of the pepper, without which no slot opens.
    pub fn shows(&self) -> bool {
        self.state.is_ok() || self.is_gone
    }
}

/// The disk space of a vault that is to be reset. Its header may be lost.
pub struct ResetTarget<D> {
    device: D,
    server_id: Option<ServerId>,
}

impl<D: BlockDevice> ResetTarget<D> {
    /// Takes whatever may be a vault: a disk that reads, and has no record of
    /// one, is something else.
    ///
    /// # Errors
    /// [`VaultError::NotAVault`], [`VaultError::Newer`], [`VaultError::Older`].
    pub fn of(device: D) -> Result<Self, VaultError> {
        let regions = [
            HEADER,
            STATE,
            POLICY,
            STICKS,
            LOG_NEWEST,
            WAYS,
            Area::First.slots(),
            Area::Second.slots(),
        ];
        let mut is_vault = false;
        for region in regions {
            match store::read(&device, region) {
                Ok(None) => {}
                Err(error @ (VaultError::Newer | VaultError::Older)) => return Err(error),
                Ok(Some(_)) | Err(_) => is_vault = true,
            }
        }
        if !is_vault {
            return Err(VaultError::NotAVault);
        }
        let header = super::read_header(&device).ok();
        Ok(Self {
            server_id: header.map(|header: Header| header.server_id),
            device,
        })
    }

    /// Whose it is; `None` where the header is lost.
    pub fn server_id(&self) -> Option<ServerId> {
        self.server_id
    }

    /// What it stands on, for whoever looks at it in tests.
    #[cfg(test)]
    pub fn into_device(self) -> D {
        self.device
    }

    /// See [`super::Vault::reset`].
    pub fn reset(&mut self, cause: ResetCause, time: u64, verified: &mut dyn FnMut()) -> Destroyed {
        reset(&mut self.device, cause, time, verified)
    }

    /// Lets no stick count that was verified since the reset: one of them is about to be
    /// wiped, or was.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::Busy`], [`VaultError::Damaged`];
    /// [`VaultError::Changed`] of a vault that does not say that it was reset, or no more.
    pub fn doubt_sticks(&mut self) -> Result<Written, VaultError> {
        self.device.lock()?;
        let written = match read_state(&self.device) {
            Ok(state @ TheftState::Reset { .. }) => write_state(&mut self.device, &state),
            Ok(_) => Err(VaultError::Changed),
            Err(error) => Err(error),
        };
        self.device.unlock();
        written
    }

    /// Whether sticks may be wiped after a reset: the vault shows it, and none of them goes
    /// on to count as verified. Where the disk has not taken the new state, an earlier one
    /// may still say that the list was written after a reset; so may one that cannot be
    /// read.
    pub fn lets_sticks_be_wiped(&self, destroyed: &Destroyed) -> bool {
        destroyed.shows() && self.has_no_proven_reset()
    }

    fn has_no_proven_reset(&self) -> bool {
        let payload = match store::read(&self.device, STATE) {
            Ok(Some(payload)) => payload,
            Ok(None) | Err(VaultError::Damaged) => return true,
            Err(_) => return false,
        };
        let state = authenticated::decode_unproven(&payload);
        !matches!(state, Ok(TheftState::Reset { .. })) || authenticated::is_unproven(&payload)
    }

    /// [`ResetTarget::doubt_sticks`] once they were wiped. A vault that does not say that it
    /// was reset has no marks then.
    ///
    /// # Errors
    /// Why one that was wiped may count as verified.
    pub fn doubt_wiped_sticks(&mut self) -> Result<(), VaultError> {
        match self.doubt_sticks() {
            Err(error) if !self.has_no_proven_reset() => Err(error),
            _ => Ok(()),
        }
    }

    /// Adds to the event log, without the master key.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::Busy`].
    pub fn append(
        &mut self,
        time: u64,
        boot_id: [u8; 16],
        kind: EventKind,
    ) -> Result<Written, VaultError> {
        self.device.lock()?;
        let written = event_log::append(&mut self.device, None, time, boot_id, kind);
        self.device.unlock();
        written
    }
}

/// The whole reset: first *reset begun* is recorded, so that whoever opens the
/// vault after a power cut goes on with it.
pub fn reset(
    device: &mut dyn BlockDevice,
    cause: ResetCause,
    time: u64,
    verified: &mut dyn FnMut(),
) -> Destroyed {
    // It has waited. Whoever writes meanwhile finds that there was a reset.
    let locked = device.lock();
    if let Err(error) = &locked {
        log::warn!("the reset does not wait: {error}");
    }
    // Destroyed all the same; what the last write says is told.
    let _ = write_state(device, &TheftState::ResetBegun { cause, time });
    let mut destroyed = finish(device, cause, time, verified);
    // Whoever had the lock may have finished it as well, over the same blocks with other bytes.
    if locked.is_err() && destroyed.failed > 0 && device.lock().is_ok() {
        destroyed = finish(device, cause, time, verified);
    }
    device.unlock();
    destroyed
}

/// The reset from its second step on; done again it does the same.
pub fn finish(
    device: &mut dyn BlockDevice,
    cause: ResetCause,
    time: u64,
    verified: &mut dyn FnMut(),
) -> Destroyed {
    let mut is_gone = false;
    let (failed, discarded) = destroy(device, &mut || {
        is_gone = true;
        verified();
    });
    Destroyed {
        failed,
        discarded,
        state: write_state(device, &TheftState::Reset { cause, time }),
        is_gone,
    }
}

/// The theft state, not yet proven.
///
/// # Errors
/// [`VaultError::Damaged`] when there is none that this version knows;
/// [`VaultError::Device`].
pub fn read_state(device: &dyn BlockDevice) -> Result<TheftState, VaultError> {
    let payload = store::read(device, STATE)?.ok_or(VaultError::Damaged)?;
    authenticated::decode_unproven(&payload)
}

/// Only the theft state is ever written without the master key.
///
/// # Errors
/// [`VaultError::Device`].
pub fn write_state(
    device: &mut dyn BlockDevice,
    state: &TheftState,
) -> Result<Written, VaultError> {
    let payload = authenticated::encode_unproven(state);
    store::write_without_waiting(device, STATE, &payload)
}

/// Overwrites the pepper and the table of an area that is not in use any more.
/// One block of the pepper that is gone takes all of it along.
///
/// # Errors
/// [`VaultError::Device`] when the disk takes nothing of it.
pub fn destroy_spare(device: &mut dyn BlockDevice, spare: Area) -> Result<(), VaultError> {
    let left = overwrite(device, spare.pepper(), PEPPER_BLOCKS);
    // Nothing opens it then.
    let _ = store::write(device, spare.slots(), &[]);
    match left < PEPPER_BLOCKS {
        true => Ok(()),
        false => Err(VaultError::Device(libc::EIO)),
    }
}

const AREAS: [Area; 2] = [Area::First, Area::Second];

/// Overwrites both pepper areas, reads them back, discards them, overwrites
/// them again, then overwrites the slots. Calls `verified` when nothing of the
/// pepper can be read any more.
///
/// A block that fails does not keep the others: they are counted.
fn destroy(device: &mut dyn BlockDevice, verified: &mut dyn FnMut()) -> (u32, Discarded) {
    let peppers = AREAS.map(|area| (area.pepper(), PEPPER_BLOCKS));
    let readable: u32 = peppers
        .into_iter()
        .map(|(start, blocks)| overwrite(device, start, blocks))
        .sum();
    if readable == 0 {
        verified();
    }
    let mut discarded = Discarded::Securely;
    for (start, blocks) in peppers {
        discarded = discarded.min(device.discard(start, blocks));
    }
    // After a discard a device may return anything, even the old content.
    let mut failed = 0;
    for (start, blocks) in peppers {
        failed += overwrite(device, start, blocks);
    }
    for slots in AREAS.map(Area::slots) {
        for copy in [slots.start, slots.start + HALF] {
            failed += overwrite(device, copy, slots.blocks);
        }
    }
    (failed, discarded)
}

/// Overwrites blocks with random bytes, flushes and reads them back; returns
/// how many are not as they were written.
fn overwrite(device: &mut dyn BlockDevice, start: u32, blocks: u32) -> u32 {
    let mut noise = vec![0; blocks as usize * BLOCK_SIZE];
    fill_random(&mut noise);
    if device.write_blocks(start, &noise).is_err() {
        for (block, bytes) in (start..).zip(noise.chunks_exact(BLOCK_SIZE)) {
            // Found below.
            let _ = device.write_block(block, bytes);
        }
    }
    if device.flush().is_err() {
        return blocks;
    }
    let mut found = Zeroizing::new(vec![0; BLOCK_SIZE]);
    let mut is_as_written = |block, bytes: &[u8]| -> Result<bool, VaultError> {
        device.read_block(block, &mut found)?;
        Ok(*found == *bytes)
    };
    (start..)
        .zip(noise.chunks_exact(BLOCK_SIZE))
        .filter(|(block, bytes)| is_as_written(*block, bytes) != Ok(true))
        .count()
        .try_into()
        .unwrap_or(blocks)
}
