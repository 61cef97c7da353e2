//! What an open vault says: claimed by whoever has the disk, or proven with the master
//! key.

use super::authenticated::{self, Authenticated};
use super::destruction;
use super::event_log::EventLog;
use super::event_proof::{self, EventSpan};
use super::layout::{POLICY, STICKS};
use super::pepper;
use super::slots::OpenedTable;
use super::store;
use super::{
    BlockDevice, LoggedEvent, Policy, Proven, ProvenRecords, SlotTable, StickList, Unproven, Vault,
    VaultError,
};
use crate::keys::MasterKey;
use crate::theft::TheftState;

impl<D: BlockDevice> Vault<D> {
    /// The theft state, not yet proven by the master key.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] when there is none that this version knows.
    pub fn state(&self) -> Result<TheftState, VaultError> {
        destruction::read_state(&self.device)
    }

    /// The policy, not yet proven: it decides how a server stays locked, never
    /// what is released.
    ///
    /// # Errors
    /// As [`Vault::state`].
    pub fn unproven_policy(&self) -> Result<Unproven<Policy>, VaultError> {
        let payload = store::read(&self.device, POLICY)?.ok_or(VaultError::Damaged)?;
        authenticated::decode_unproven(&payload).map(Unproven::new)
    }

    /// The list of sticks, not yet proven. None of them is verified while no slot opens
    /// this vault: see [`StickList::after_reset`].
    ///
    /// # Errors
    /// As [`Vault::state`].
    #[cfg(any(test, feature = "admin"))]
    pub fn unproven_sticks(&self) -> Result<Unproven<StickList>, VaultError> {
        let listed = self.listed_sticks()?;
        Ok(match self.may_have_been_reset() {
            true => Unproven::new(listed.as_claimed().clone().after_reset()),
            false => listed,
        })
    }

    /// The list of sticks as it stands on the disk, not yet proven. The verified ones are no
    /// way back where the slots cannot be opened.
    ///
    /// # Errors
    /// As [`Vault::state`].
    pub fn listed_sticks(&self) -> Result<Unproven<StickList>, VaultError> {
        let payload = store::read(&self.device, STICKS)?.ok_or(VaultError::Damaged)?;
        authenticated::decode_unproven(&payload).map(Unproven::new)
    }

    /// The slots, through the pepper; not yet proven. Whoever has the disk has
    /// the pepper: what they say may decide what is tried, never what is
    /// written. Nothing is read through a pepper beside a theft state that is
    /// not known.
    ///
    /// # Errors
    /// [`VaultError::WasReset`], [`VaultError::PepperDamaged`],
    /// [`VaultError::Damaged`], [`VaultError::Device`].
    pub fn slots(&self) -> Result<Box<SlotTable>, VaultError> {
        self.opened_slots()?.table()
    }

    /// Whether a reset may have destroyed the slots. A disk that cannot be read says
    /// nothing of one.
    pub(super) fn may_have_been_reset(&self) -> bool {
        self.opened_slots().is_err_and(VaultError::may_be_a_reset)
    }

    pub(super) fn opened_slots(&self) -> Result<OpenedTable, VaultError> {
        if self.state()?.is_reset() {
            return Err(VaultError::WasReset);
        }
        let area = self.header.pepper.area();
        let pepper = pepper::read(&self.device, area, &self.header.pepper.digest)?;
        let payload = store::read(&self.device, area.slots())?.ok_or(VaultError::Damaged)?;
        OpenedTable::open(&payload, &pepper, &self.header.server_id, area)
    }

    /// The slots as somebody with the master key wrote them: how many factors
    /// are needed and what a guess costs are taken over from these alone.
    ///
    /// # Errors
    /// As [`Vault::slots`]; [`VaultError::Altered`], [`VaultError::WrongKey`].
    pub fn proven_slots(&self, key: &MasterKey) -> Result<Proven<Box<SlotTable>>, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        let opened = self.opened_slots()?;
        match opened.is_proven_by(key, &self.header) {
            true => Ok(Proven::new(opened.table()?)),
            false => Err(VaultError::Altered),
        }
    }

    /// The proven slots, to be written on; `None` where there are none any
    /// more, since no place and no passphrase opens this vault.
    ///
    /// # Errors
    /// As [`Vault::proven_slots`].
    pub fn slots_if_any(&self, key: &MasterKey) -> Result<Option<Box<SlotTable>>, VaultError> {
        SlotTable::to_extend(self.proven_slots(key).map(|slots| slots.draft()))
    }

    /// Checks that `key` is the master key, and that policy, stick list and
    /// slots are what somebody with the master key wrote. Nothing is released
    /// without this. The theft state need not prove: a wrong one can only lock.
    /// Nor need there be slots: a stick opens a server without. No stick is verified then
    /// but those that were verified since: see [`StickList::after_reset`].
    ///
    /// # Errors
    /// [`VaultError::WrongKey`], [`VaultError::Altered`],
    /// [`VaultError::Damaged`], [`VaultError::Device`].
    pub fn prove(&self, key: &MasterKey) -> Result<ProvenRecords, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        let state = self.state()?;
        let state_proven =
            state != TheftState::Armed || self.read_proven::<TheftState>(key).is_ok();
        let policy = self.read_proven(key)?;
        let listed = self.read_proven::<StickList>(key)?;
        let sticks = match self.proven_slots(key) {
            Err(VaultError::Altered) => return Err(VaultError::Altered),
            Err(error) if error.may_be_a_reset() && !self.is_listed_since_reset(key) => {
                Proven::new(listed.draft().after_reset())
            }
            Ok(_) | Err(_) => listed,
        };
        Ok(ProvenRecords {
            policy,
            sticks,
            state,
            state_proven,
        })
    }

    /// The event log, oldest first.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn events(&self) -> Result<Vec<LoggedEvent>, VaultError> {
        Ok(EventLog::read(&self.device)?.events())
    }

    /// The events of a vault that has logged so few that all of them are in one record;
    /// `None` where there were more, or a part of the log is damaged.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    #[cfg(feature = "admin")]
    pub fn first_events(&self) -> Result<Option<Vec<LoggedEvent>>, VaultError> {
        match EventLog::is_within_newest(&self.device)? {
            true => self.events().map(Some),
            false => Ok(None),
        }
    }

    /// Number of the last event that a seal stands for; 0 where none does.
    /// Only [`Vault::prove_events`] says whether the seal holds.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn events_sealed(&self) -> Result<u64, VaultError> {
        let newest = EventLog::read(&self.device)?.newest;
        Ok(newest.map_or(0, |newest| newest.seal.number))
    }

    /// What of the event log is as it was sealed when the server last opened:
    /// all events from 1 to the newest, oldest first.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn prove_events(&self, key: &MasterKey) -> Result<Vec<EventSpan>, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        let log = EventLog::read(&self.device)?;
        Ok(event_proof::prove(&log, &self.header, key))
    }

    pub(super) fn read_proven<T: Authenticated>(
        &self,
        key: &MasterKey,
    ) -> Result<Proven<T>, VaultError> {
        let payload = store::read(&self.device, T::REGION)?.ok_or(VaultError::Damaged)?;
        authenticated::decode(&payload, key, &self.header).map(Proven::new)
    }
}
