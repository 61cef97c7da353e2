//! The vault: the small region on the disk that holds the header, the theft
//! state, the policy, the slots, the pepper and the event log.
//!
//! [`Vault`] is the only way in; `layout` says where everything stands and
//! `docs/format.md` describes every byte.

mod authenticated;
mod copies;
mod destruction;
mod device;
mod error;
mod event;
mod event_log;
mod event_proof;
pub mod gpt;
mod header;
mod layout;
pub mod locate;
pub mod partitions;
mod pepper;
mod policy;
mod proof;
mod read_ahead;
mod record;
mod slots;
mod sticks;
mod store;
mod theft;
mod vault_conf;

#[cfg(any(test, feature = "fuzzing"))]
mod tests;

pub use destruction::Destroyed;
pub use device::{BlockDevice, Discarded};
pub use error::VaultError;
pub use event::{EventKind, LockedBecause, LoggedEvent, OpenedBy, wrong_entries};
pub use event_proof::{EventSpan, ProofStatus};
pub use header::{Header, NotAServerId, ServerId, ServerName};
pub use layout::{BLOCK_SIZE, VAULT_BLOCKS, VAULT_BYTES};
pub use locate::LocateError;
pub use policy::{DEFAULT_KEY_IDS, Keep, MAX_KEY_IDS, MAX_NEIGHBOURS, MariadbRelease, Policy};
pub use proof::{Proven, ProvenRecords, Unproven};
pub use record::FORMAT_VERSION;
pub use slots::{
    Count, Curve, EnvironmentSlot, Factor, FactorCounts, Group, KEY_SERVER, KeyServer, Label,
    MAX_ADDRESSES, MAX_FACTORS, MAX_PLACES, MAX_ROWS, MAX_SERVERS, MAX_SIGNING, OwnAddress, POINT,
    Passphrase, PassphraseError, PassphraseOutcome, PassphraseSlot, Passphrases, PerGroup,
    PersonName, PointBytes, PublicKey, Row, SealedValues, SlotTable, Thresholds,
    UnusablePassphrase, Value, check_passphrase, has_member, is_key_server,
};
pub use sticks::{KnownCode, KnownStick, MAX_STICKS, StickList};
pub use vault_conf::{PartitionId, VAULT_CONF, VAULT_CONF_BYTES, VaultConf, VaultConfError};

#[cfg(feature = "fuzzing")]
pub use authenticated::read_as_each as read_as_each_record;
#[cfg(any(test, feature = "fuzzing"))]
pub use tests::MemoryDevice;

use crate::keys::{MasterKey, Secret32};
use crate::theft::TheftState;
use event_log::EventLog;
use header::PepperInUse;
use layout::{Area, HALF, HEADER, POLICY, STATE, STICKS};
use pepper::digest;

/// An open vault: its header is known and whole.
pub struct Vault<D> {
    device: D,
    header: Header,
}

impl<D: BlockDevice> Vault<D> {
    /// Makes a new vault. The header is written last: until then there is no
    /// vault.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn create(
        mut device: D,
        server_id: ServerId,
        server_name: ServerName,
        key: &MasterKey,
        slots: &SlotTable,
    ) -> Result<Self, VaultError> {
        // What an earlier vault left must not look like part of this one: its
        // header goes first, so that no half of it is taken for a vault.
        let zeros = [0; BLOCK_SIZE];
        for header in [HEADER.start, HEADER.start + HALF] {
            device.write_block(header, &zeros)?;
        }
        device.flush()?;
        for block in 0..VAULT_BLOCKS {
            device.write_block(block, &zeros)?;
        }
        device.flush()?;
        let pepper = Secret32::random();
        let generation = 1;
        let header = Header {
            server_id,
            server_name,
            generation,
            check: Header::check_value(key, &server_id, generation),
            pepper: PepperInUse::new(Area::First, digest(&pepper), false),
        };
        let mut vault = Self { device, header };
        vault.write_area(Area::First, &pepper, slots)?;
        vault.write_proven(key, &TheftState::Armed)?;
        vault.write_proven(key, &Policy::default())?;
        vault.write_proven(key, &StickList::default())?;
        event_log::begin(&mut vault.device, &vault.header, key)?;
        vault.write_header()?;
        Ok(vault)
    }

    /// Reads the header, and finishes what a power cut interrupted: copies
    /// that differ are made equal, a reset goes on to its end, a replaced
    /// pepper is destroyed.
    ///
    /// # Errors
    /// [`VaultError::NotAVault`], [`VaultError::Damaged`],
    /// [`VaultError::Newer`], [`VaultError::Device`].
    pub fn open(device: D) -> Result<Self, VaultError> {
        Self::open_unrepaired(device)?.finish_interrupted()
    }

    /// What [`Vault::open`] does after reading the header.
    fn finish_interrupted(mut self) -> Result<Self, VaultError> {
        store::repair(&mut self.device, STATE)?;
        if let Ok(TheftState::ResetBegun { cause, time }) = self.state() {
            self.finish_reset(cause, time, &mut || ())?;
        }
        for region in [HEADER, POLICY, STICKS] {
            store::repair(&mut self.device, region)?;
        }
        store::repair(&mut self.device, self.header.pepper.area().slots())?;
        if self.header.pepper.spare_to_destroy {
            self.destroy_spare()?;
        }
        Ok(self)
    }

    /// Reads the header and writes nothing.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_unrepaired(device: D) -> Result<Self, VaultError> {
        let Some(payload) = store::read(&device, HEADER)? else {
            return Err(VaultError::NotAVault);
        };
        let header = postcard::from_bytes(&payload).map_err(|_| VaultError::Damaged)?;
        Ok(Self { device, header })
    }

    /// What it stands on, for whoever edits it in tests.
    #[cfg(test)]
    pub fn into_device(self) -> D {
        self.device
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether `key` is this server's: see [`Header::accepts`].
    pub fn accepts(&self, key: &MasterKey) -> bool {
        self.header.accepts(key)
    }

    /// The theft state, not yet proven by the master key.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] when there is none that this version knows.
    pub fn state(&self) -> Result<TheftState, VaultError> {
        let payload = store::read(&self.device, STATE)?.ok_or(VaultError::Damaged)?;
        authenticated::decode_unproven(&payload)
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

    /// The list of sticks, not yet proven.
    ///
    /// # Errors
    /// As [`Vault::state`].
    pub fn unproven_sticks(&self) -> Result<Unproven<StickList>, VaultError> {
        let payload = store::read(&self.device, STICKS)?.ok_or(VaultError::Damaged)?;
        authenticated::decode_unproven(&payload).map(Unproven::new)
    }

    /// The slots, through the pepper. Nothing is read through a pepper beside
    /// a theft state that is not known.
    ///
    /// # Errors
    /// [`VaultError::WasReset`], [`VaultError::PepperDamaged`],
    /// [`VaultError::Damaged`], [`VaultError::Device`].
    pub fn slots(&self) -> Result<Box<SlotTable>, VaultError> {
        if self.state()?.is_reset() {
            return Err(VaultError::WasReset);
        }
        let area = self.header.pepper.area();
        let pepper = pepper::read(&self.device, area, &self.header.pepper.digest)?;
        let payload = store::read(&self.device, area.slots())?.ok_or(VaultError::Damaged)?;
        SlotTable::open(&payload, &pepper, &self.header.server_id, area)
    }

    /// Checks that `key` is the master key and that policy and stick list are
    /// what somebody with the master key wrote. Nothing is released without
    /// this. The theft state need not prove: a wrong one can only lock.
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
        Ok(ProvenRecords {
            policy: self.read_proven(key)?,
            sticks: self.read_proven(key)?,
            state,
            state_proven,
        })
    }

    /// Puts `policy` in place of the one there is.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn set_policy(
        &mut self,
        key: &MasterKey,
        policy: Policy,
    ) -> Result<Proven<Policy>, VaultError> {
        self.write_proven(key, &policy)?;
        Ok(Proven::new(policy))
    }

    /// Puts `sticks` in place of the list there is.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn set_sticks(
        &mut self,
        key: &MasterKey,
        sticks: StickList,
    ) -> Result<Proven<StickList>, VaultError> {
        self.write_proven(key, &sticks)?;
        Ok(Proven::new(sticks))
    }

    /// Puts `slots` in place of the table there is, under a new pepper, so
    /// that a removed slot cannot come back from an old copy: the new pepper
    /// and table go to the spare area, the header names it, then the old area
    /// is destroyed. A vault that was reset is armed again at the very end:
    /// until then it still says that no slot opens it.
    ///
    /// # Errors
    /// [`VaultError::Device`]: the old table or the new one is in force.
    /// [`VaultError::WrongKey`].
    pub fn replace_slots(&mut self, key: &MasterKey, slots: &SlotTable) -> Result<(), VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        let spare = self.header.pepper.area().other();
        let pepper = Secret32::random();
        self.write_area(spare, &pepper, slots)?;
        self.header.pepper = PepperInUse::new(spare, digest(&pepper), true);
        self.write_header()?;
        self.destroy_spare()?;
        if self.state() != Ok(TheftState::Armed) {
            self.arm(key)?;
        }
        Ok(())
    }

    /// Adds to the event log, without the master key.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn append(
        &mut self,
        time: u64,
        boot_id: [u8; 16],
        kind: EventKind,
    ) -> Result<(), VaultError> {
        event_log::append(&mut self.device, None, time, boot_id, kind)
    }

    /// Adds to the event log, and seals it up to there, in the same write.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::WrongKey`].
    pub fn append_sealed(
        &mut self,
        key: &MasterKey,
        time: u64,
        boot_id: [u8; 16],
        kind: EventKind,
    ) -> Result<(), VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        let sealed_by = Some((&self.header, key));
        event_log::append(&mut self.device, sealed_by, time, boot_id, kind)
    }

    /// The event log, oldest first.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    pub fn events(&self) -> Result<Vec<LoggedEvent>, VaultError> {
        Ok(EventLog::read(&self.device)?.events())
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

    fn destroy_spare(&mut self) -> Result<(), VaultError> {
        let in_use = self.header.pepper;
        let spare = in_use.area().other();
        pepper::destroy(&mut self.device, spare)?;
        store::write(&mut self.device, spare.slots(), &[])?;
        self.header.pepper = PepperInUse::new(in_use.area(), in_use.digest, false);
        self.write_header()
    }

    fn write_area(
        &mut self,
        area: Area,
        pepper: &Secret32,
        slots: &SlotTable,
    ) -> Result<(), VaultError> {
        pepper::write(&mut self.device, area, pepper)?;
        let payload = slots.seal(pepper, &self.header.server_id, area);
        store::write(&mut self.device, area.slots(), &payload)
    }

    fn write_header(&mut self) -> Result<(), VaultError> {
        let mut payload = [0; record::capacity(HEADER)];
        let payload =
            postcard::to_slice(&self.header, &mut payload).expect("the largest header fits");
        store::write(&mut self.device, HEADER, payload)
    }

    fn write_proven<T: authenticated::Authenticated>(
        &mut self,
        key: &MasterKey,
        value: &T,
    ) -> Result<(), VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        let payload = authenticated::encode(value, key, &self.header);
        store::write(&mut self.device, T::REGION, &payload)
    }

    fn read_proven<T: authenticated::Authenticated>(
        &self,
        key: &MasterKey,
    ) -> Result<Proven<T>, VaultError> {
        let payload = store::read(&self.device, T::REGION)?.ok_or(VaultError::Damaged)?;
        authenticated::decode(&payload, key, &self.header).map(Proven::new)
    }
}
