//! What an open vault says: claimed by whoever has the disk, or proven with the master
//! key.

use super::authenticated::{self, Authenticated};
use super::destruction;
use super::event_log::EventLog;
use super::event_proof::{self, EventSpan};
use super::layout::{POLICY, STATE, STICKS, WAYS};
use super::pepper;
use super::slots::OpenedTable;
use super::store;
use super::{
    BlockDevice, Header, LoggedEvent, Policy, Proven, ProvenRecords, SlotTable, StickList,
    Unproven, Vault, VaultError, Ways,
};
use crate::keys::{Keyring, MasterKey};
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
        let payload = self.read_current(POLICY)?.ok_or(VaultError::Damaged)?;
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

    /// What of the list opens the server as the vault is now, not yet proven: see
    /// [`StickList::backed_by`]. It decides what a reset may destroy, and is not to be
    /// written.
    ///
    /// # Errors
    /// As [`Vault::state`].
    #[cfg(feature = "admin")]
    pub fn sticks_that_open(&self) -> Result<Unproven<StickList>, VaultError> {
        let listed = self.unproven_sticks()?;
        let ways = self.unproven_ways().unwrap_or_default();
        let list = listed.as_claimed().clone();
        let generation = self.header.generation;
        Ok(Unproven::new(list.backed_by(ways.as_claimed(), generation)))
    }

    /// The list of sticks as it stands on the disk, not yet proven. The verified ones are no
    /// way back where the slots cannot be opened.
    ///
    /// # Errors
    /// As [`Vault::state`].
    pub fn listed_sticks(&self) -> Result<Unproven<StickList>, VaultError> {
        let payload = self.read_current(STICKS)?.ok_or(VaultError::Damaged)?;
        authenticated::decode_unproven(&payload).map(Unproven::new)
    }

    /// The ways in of sticks and code, not yet proven: each of them opens by its own way
    /// key alone, whoever wrote it.
    ///
    /// # Errors
    /// As [`Vault::state`].
    pub fn unproven_ways(&self) -> Result<Unproven<Ways>, VaultError> {
        let payload = self.read_current(WAYS)?.ok_or(VaultError::Damaged)?;
        authenticated::decode_unproven(&payload).map(Unproven::new)
    }

    /// The ways in of sticks and code that somebody with the master key wrote. A record
    /// that was altered, or is damaged, keeps those whose seals the key opens.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]; [`VaultError::Device`] when the disk does not answer.
    pub fn ways(&self, key: &MasterKey) -> Result<Ways, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        match self.read_proven::<Ways>(key) {
            Ok(ways) => Ok(ways.draft()),
            Err(VaultError::Altered) => {
                let claimed = self.unproven_ways().unwrap_or_default();
                Ok(claimed.as_claimed().proven_by(&self.header, key))
            }
            Err(VaultError::Damaged) => Ok(Ways::default()),
            Err(error) => Err(error),
        }
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
        let keys = self.header.keyring(key);
        let keys = keys.map_err(|_| VaultError::Altered)?;
        let state_proven = state != TheftState::Armed || self.has_armed(&keys);
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
            keys,
            policy,
            sticks,
            state,
            state_proven,
        })
    }

    /// Whether somebody with the master key, or the one before, has written the state
    /// *armed*: it is the last to be written when the key is replaced.
    fn has_armed(&self, keys: &Keyring) -> bool {
        let Ok(Some(payload)) = store::read(&self.device, STATE) else {
            return false;
        };
        keys.all().take(2).any(|(generation, key)| {
            let header = Header {
                generation,
                ..self.header.clone()
            };
            authenticated::decode::<TheftState>(&payload, key, &header).is_ok()
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
        let payload = self.read_current(T::REGION)?.ok_or(VaultError::Damaged)?;
        authenticated::decode(&payload, key, &self.header).map(Proven::new)
    }
}
