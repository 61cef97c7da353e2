//! Writing to a vault that other processes may write to as well.
//!
//! Each write takes the vault's lock for itself, never while a person is asked.
//! What is put in place of a record was made from what that record held when it
//! was read; where somebody has written it since, the write is refused.

use super::header::PepperInUse;
use super::layout::{Area, HEADER, POLICY, Region, STATE, STICKS, WAYS};
use super::pepper::digest;
use super::store::Stamp;
use super::{
    BlockDevice, EventKind, Header, Policy, Proven, SlotTable, Vault, VaultError, Ways, Written,
    authenticated, destruction, event_log, pepper, record, store,
};
use crate::keys::{MasterKey, Secret32};
use crate::theft::TheftState;

/// The records that are written from what they held before. The header stands
/// for the slots: a new table has a new pepper, which the header names.
const REGIONS: [Region; 5] = [HEADER, STATE, POLICY, STICKS, WAYS];

/// What the records held when a vault was opened, or wrote them last.
#[derive(Clone, Default)]
pub(super) struct Seen([Option<Stamp>; REGIONS.len()]);

impl Seen {
    pub(super) fn now(device: &dyn BlockDevice) -> Self {
        Self(REGIONS.map(|region| store::stamp(device, region)))
    }

    fn is_current(&self, device: &dyn BlockDevice, region: Region) -> bool {
        let seen = REGIONS.into_iter().zip(self.0);
        seen.filter(|(at, _)| *at == region)
            .all(|(_, stamp)| stamp == store::stamp(device, region))
    }

    fn renew(&mut self, device: &dyn BlockDevice, region: Region) {
        let seen = REGIONS.into_iter().zip(&mut self.0);
        for (_, stamp) in seen.filter(|(at, _)| *at == region) {
            *stamp = store::stamp(device, region);
        }
    }
}

impl<D: BlockDevice> Vault<D> {
    /// Puts `policy` in place of the one that this vault has read.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`], [`VaultError::Busy`],
    /// [`VaultError::Changed`].
    pub fn set_policy(
        &mut self,
        key: &MasterKey,
        policy: Policy,
    ) -> Result<(Proven<Policy>, Written), VaultError> {
        let written = self.exclusively(|vault| {
            vault.must_be_current(POLICY)?;
            vault.write_proven(key, &policy)
        })?;
        Ok((Proven::new(policy), written))
    }

    /// Changes the ways in of sticks and code as they are now: they are read and written
    /// under one lock, so nothing that another command wrote meanwhile is lost. What
    /// `change` leaves as it was is not written. Returns what it says.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`], [`VaultError::Busy`],
    /// [`VaultError::Changed`] where it is another vault by now.
    pub fn change_ways<T>(
        &mut self,
        key: &MasterKey,
        change: impl FnOnce(&Header, &mut Ways) -> T,
    ) -> Result<(T, Written), VaultError> {
        self.exclusively(|vault| {
            let before = vault.ways(key)?;
            let mut ways = before.clone();
            let said = change(&vault.header, &mut ways);
            let written = match ways == before && vault.read_proven::<Ways>(key).is_ok() {
                true => Written::Twice,
                false => vault.write_proven(key, &ways)?,
            };
            Ok((said, written))
        })
    }

    /// Puts these ways in of sticks and code in the place of all there are.
    ///
    /// # Errors
    /// As [`Vault::change_ways`].
    pub fn set_ways(&mut self, key: &MasterKey, ways: &Ways) -> Result<Written, VaultError> {
        let replaced = self.change_ways(key, |_, now| *now = ways.clone());
        replaced.map(|((), written)| written)
    }

    /// Writes that the server was opened: no strikes count any more. A reset
    /// stays.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`], [`VaultError::Busy`],
    /// [`VaultError::WasReset`].
    pub fn arm(&mut self, key: &MasterKey) -> Result<Written, VaultError> {
        self.write_state_unless_reset(|vault| vault.proven(key, &TheftState::Armed))
    }

    /// Whoever resets the server waits for no lock: his words stay. He, or who opens the vault
    /// next, finishes what they say.
    pub(super) fn write_state_unless_reset(
        &mut self,
        payload: impl FnOnce(&Self) -> Result<Vec<u8>, VaultError>,
    ) -> Result<Written, VaultError> {
        self.exclusively(|vault| {
            // First: what is read below is this or a later one.
            let seen = store::stamp(&vault.device, STATE);
            if vault.state().is_ok_and(|state| state.is_reset()) {
                return Err(VaultError::WasReset);
            }
            let payload = payload(vault)?;
            match store::write_unless_changed(&mut vault.device, STATE, &payload, seen) {
                Err(VaultError::Changed) => Err(VaultError::WasReset),
                written => {
                    vault.state_was_written();
                    written
                }
            }
        })
    }

    /// Puts `slots` in place of the table that this vault has read, under a new
    /// pepper, so that a removed slot cannot come back from an old copy: the
    /// new pepper and table go to the spare area, the header names it, then the
    /// old area is destroyed. A vault that was reset when it was opened is armed
    /// again at the very end: until then it still says that no slot opens it. Where
    /// the old table could not be opened, none of the sticks counts as verified any
    /// more but those that were verified since: a reset wiped those that were plugged in,
    /// and nobody knows which.
    ///
    /// # Errors
    /// [`VaultError::Device`]: the old table or the new one is in force.
    /// [`VaultError::WasReset`]: somebody has reset the server meanwhile, and no
    /// table is. [`VaultError::WrongKey`], [`VaultError::Busy`],
    /// [`VaultError::Changed`].
    pub fn replace_slots(
        &mut self,
        key: &MasterKey,
        slots: &SlotTable,
    ) -> Result<Written, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        self.exclusively(|vault| vault.replace_slots_now(key, slots))
    }

    /// With the lock held.
    pub(super) fn replace_slots_now(
        &mut self,
        key: &MasterKey,
        slots: &SlotTable,
    ) -> Result<Written, VaultError> {
        if self.was_reset_meanwhile() {
            return Err(VaultError::WasReset);
        }
        self.must_be_current(HEADER)?;
        // A reset that could not write its state leaves an old one beside no pepper.
        let may_be_wiped = self.may_have_been_reset() && !self.is_listed_since_reset(key);
        let forgotten = match may_be_wiped {
            true => self.forget_verified_sticks(key)?,
            false => Written::Twice,
        };
        let spare = self.header.pepper.area().other();
        let pepper = Secret32::random();
        let table = self.write_area(key, spare, &pepper, slots)?;
        let mut header = self.header.clone();
        header.pepper = PepperInUse::new(spare, digest(&pepper), true);
        let named = self.write_header(header)?;
        let destroyed = self.destroy_spare()?;
        let mut written = forgotten.and(table).and(named).and(destroyed);
        // A reset does not wait for long: what was written here may have come
        // after it.
        if self.was_reset_meanwhile() {
            self.finish_reset();
            return Err(VaultError::WasReset);
        }
        if self.state() != Ok(TheftState::Armed) {
            written = written.and(self.write_proven(key, &TheftState::Armed)?);
        }
        Ok(written)
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
        self.exclusively(|vault| event_log::append(&mut vault.device, None, time, boot_id, kind))
    }

    /// Adds to the event log, and seals it up to there, in the same write.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`], [`VaultError::Busy`].
    pub fn append_sealed(
        &mut self,
        key: &MasterKey,
        time: u64,
        boot_id: [u8; 16],
        kind: EventKind,
    ) -> Result<Written, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        self.exclusively(|vault| {
            let sealed_by = Some((&vault.header, key));
            event_log::append(&mut vault.device, sealed_by, time, boot_id, kind)
        })
    }

    /// Runs `write` while no other process writes, if it is the same vault
    /// still.
    pub(super) fn exclusively<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        self.device.lock()?;
        let written = self.must_be_the_same().and_then(|()| write(self));
        self.device.unlock();
        written
    }

    fn must_be_the_same(&self) -> Result<(), VaultError> {
        let of = |header: &Header| (header.server_id, header.generation, header.check);
        match of(&super::read_header(&self.device)?) == of(&self.header) {
            true => Ok(()),
            false => Err(VaultError::Changed),
        }
    }

    /// Whether a record is as this vault has read or written it.
    pub(super) fn must_be_current(&self, region: Region) -> Result<(), VaultError> {
        match self.seen.is_current(&self.device, region) {
            true => Ok(()),
            false => Err(VaultError::Changed),
        }
    }

    /// Whether the state tells of a reset that was not there when this vault was
    /// opened.
    pub(super) fn was_reset_meanwhile(&self) -> bool {
        let is_reset = self.state().is_ok_and(|state| state.is_reset());
        is_reset && !self.seen.is_current(&self.device, STATE)
    }

    /// Reads the header anew: a person may have been asked meanwhile. What is
    /// read from here on can be written on. A reset that has come is not taken
    /// for one that was there when the vault was opened.
    ///
    /// # Errors
    /// As [`Vault::open`]; [`VaultError::Changed`] when it is another vault.
    pub fn read_again(&mut self) -> Result<(), VaultError> {
        self.must_be_the_same()?;
        self.header = super::read_header(&self.device)?;
        for region in [HEADER, POLICY, STICKS, WAYS] {
            self.seen.renew(&self.device, region);
        }
        Ok(())
    }

    /// Destroys the pepper that is no longer in use, and its table. One block of
    /// it that is lost takes the whole pepper along.
    pub(super) fn destroy_spare(&mut self) -> Result<Written, VaultError> {
        let spare = self.header.pepper.area().other();
        destruction::destroy_spare(&mut self.device, spare)?;
        let mut header = self.header.clone();
        header.pepper.spare_to_destroy = false;
        self.write_header(header)
    }

    /// The new pepper, and the table sealed under it. One that cannot be read
    /// back would lose every slot.
    pub(super) fn write_area(
        &mut self,
        key: &MasterKey,
        area: Area,
        pepper: &Secret32,
        slots: &SlotTable,
    ) -> Result<Written, VaultError> {
        pepper::write(&mut self.device, area, pepper)?;
        pepper::read(&self.device, area, &digest(pepper))?;
        let payload = slots.seal(key, pepper, &self.header, area);
        store::write(&mut self.device, area.slots(), &payload)
    }

    /// What is in memory is what the disk has taken.
    pub(super) fn write_header(&mut self, header: Header) -> Result<Written, VaultError> {
        let mut payload = [0; record::capacity(HEADER)];
        let payload = postcard::to_slice(&header, &mut payload).expect("the largest header fits");
        let written = store::write(&mut self.device, HEADER, payload)?;
        self.header = header;
        self.seen.renew(&self.device, HEADER);
        Ok(written)
    }

    pub(super) fn write_proven<T: authenticated::Authenticated>(
        &mut self,
        key: &MasterKey,
        value: &T,
    ) -> Result<Written, VaultError> {
        let payload = self.proven(key, value)?;
        let written = store::write(&mut self.device, T::REGION, &payload)?;
        self.seen.renew(&self.device, T::REGION);
        Ok(written)
    }

    /// The payload of a record with its HMAC.
    fn proven<T: authenticated::Authenticated>(
        &self,
        key: &MasterKey,
        value: &T,
    ) -> Result<Vec<u8>, VaultError> {
        match self.accepts(key) {
            true => Ok(authenticated::encode(value, key, &self.header)),
            false => Err(VaultError::WrongKey),
        }
    }

    /// Takes what stands in this record for what this vault has written.
    pub(super) fn renew_seen(&mut self, region: Region) {
        self.seen.renew(&self.device, region);
    }

    pub(super) fn state_was_written(&mut self) {
        self.seen.renew(&self.device, STATE);
    }
}
