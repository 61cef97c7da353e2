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
mod event_chain;
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
#[cfg(feature = "admin")]
mod traces;
mod vault_conf;
mod verified_sticks;
mod writing;

#[cfg(any(test, feature = "fuzzing"))]
mod tests;

pub use destruction::{Destroyed, ResetTarget};
pub use device::{BlockDevice, Discarded};
pub use error::VaultError;
pub use event::{EventKind, LockedBecause, LoggedEvent, OpenedBy, wrong_entries};
pub use event_proof::{EventSpan, ProofStatus};
pub use header::{Header, Identity, NotAServerId, ServerId, ServerName};
pub use layout::{BLOCK_SIZE, VAULT_BLOCKS, VAULT_BYTES};
#[cfg(all(test, feature = "admin"))]
pub use layout::{LOG_BLOCKS, LOG_NEWEST, log};
pub use locate::LocateError;
pub use policy::{DEFAULT_KEY_IDS, Keep, MAX_KEY_IDS, MAX_NEIGHBOURS, MariadbRelease, Policy};
pub use proof::{Proven, ProvenRecords, Unproven};
pub use record::FORMAT_VERSION;
pub use slots::{
    Count, Curve, EnvironmentSlot, Factor, FactorCounts, Group, KEY_SERVER, KeyServer, Label,
    MAX_ADDRESSES, MAX_FACTORS, MAX_NEIGHBOUR_WITNESSES, MAX_PLACES, MAX_ROWS, MAX_SERVERS,
    MAX_SIGNING, MAX_WITNESSES, OwnAddress, POINT, Passphrase, PassphraseError, PassphraseOutcome,
    PassphraseSlot, Passphrases, PerGroup, PersonName, PointBytes, PublicKey, Row, SealedValues,
    SlotTable, Thresholds, UnusablePassphrase, Value, Witness, can_be_typed, check_passphrase,
    has_member, is_key_server, kind_of,
};
pub use sticks::{KnownCode, KnownStick, MAX_STICKS, PlaceInWords, SealedPlace, StickList};
pub use store::Written;
#[cfg(feature = "admin")]
pub use traces::Traces;
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
use slots::OpenedTable;
use writing::Seen;

/// An open vault: its header is known and whole.
pub struct Vault<D> {
    device: D,
    header: Header,
    /// What the records held when they were read, or written by this vault.
    seen: Seen,
    unfinished: Option<VaultError>,
}

impl<D: BlockDevice> Vault<D> {
    /// Makes the vault of a new server. The header is written last: until then
    /// there is no vault.
    ///
    /// # Errors
    /// As [`Vault::create_as`].
    pub fn create(
        device: D,
        server_id: ServerId,
        server_name: ServerName,
        key: &MasterKey,
        slots: &SlotTable,
    ) -> Result<Self, VaultError> {
        let identity = Identity {
            server_id,
            server_name,
            generation: 1,
        };
        Self::create_as(device, identity, key, slots)
    }

    /// Makes a new vault, also of a server that has lost the one it had: `key` is
    /// then the master key that it has.
    ///
    /// # Errors
    /// [`VaultError::Device`], also where the disk refuses a single block: no
    /// vault begins on a disk that fails. [`VaultError::Busy`].
    pub fn create_as(
        mut device: D,
        identity: Identity,
        key: &MasterKey,
        slots: &SlotTable,
    ) -> Result<Self, VaultError> {
        device.lock()?;
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
        let Identity {
            server_id,
            server_name,
            generation,
        } = identity;
        let header = Header {
            server_id,
            server_name,
            generation,
            check: Header::check_value(key, &server_id, generation),
            pepper: PepperInUse::new(Area::First, digest(&pepper), false),
        };
        let mut vault = Self {
            device,
            header,
            seen: Seen::default(),
            unfinished: None,
        };
        let written = [
            // What has a mark comes before what has none, so that a vault that was
            // only begun is known again ([`Traces`]).
            vault.write_proven(key, &TheftState::Armed)?,
            vault.write_area(key, Area::First, &pepper, slots)?,
            vault.write_proven(key, &Policy::default())?,
            vault.write_proven(key, &StickList::default())?,
            event_log::begin(&mut vault.device, &vault.header, key)?,
            vault.write_header(vault.header.clone())?,
        ];
        vault.device.unlock();
        match written.contains(&Written::Once) {
            true => Err(VaultError::Device(libc::EIO)),
            false => Ok(vault),
        }
    }

    /// Reads the header, and finishes what a power cut interrupted: copies
    /// that differ are made equal, a reset goes on to its end, a replaced
    /// pepper is destroyed. A disk that does not take it keeps nobody from
    /// opening the vault: see [`Vault::unfinished`].
    ///
    /// # Errors
    /// [`VaultError::NotAVault`], [`VaultError::Damaged`],
    /// [`VaultError::Newer`], [`VaultError::Older`], [`VaultError::Device`].
    pub fn open(device: D) -> Result<Self, VaultError> {
        Self::open_unrepaired(device)?.finish_interrupted()
    }

    /// What [`Vault::open`] does after reading the header.
    fn finish_interrupted(mut self) -> Result<Self, VaultError> {
        let locked = self.device.lock();
        // Whoever held the lock may have changed it.
        self.header = read_header(&self.device)?;
        let mut results = Vec::new();
        let is_half_reset = match self.state() {
            Ok(TheftState::ResetBegun { .. }) => true,
            // Somebody wrote new slots meanwhile, and has not armed it.
            Ok(TheftState::Reset { .. }) => self.header.pepper.spare_to_destroy,
            _ => false,
        };
        if is_half_reset {
            let finished = self
                .finish_reset()
                .map(|destroyed| destroyed.state.map(drop));
            results.extend(finished);
        }
        match locked {
            Ok(()) => results.extend(self.repair()),
            Err(error) => results.push(Err(error)),
        }
        self.device.unlock();
        self.unfinished = results.into_iter().find_map(Result::err);
        self.seen = Seen::now(&self.device);
        Ok(self)
    }

    /// Each as far as the disk takes it.
    fn repair(&mut self) -> Vec<Result<(), VaultError>> {
        let slots = self.header.pepper.area().slots();
        let regions = [STATE, HEADER, POLICY, STICKS, slots];
        let mut results: Vec<_> = regions
            .into_iter()
            .map(|region| store::repair(&mut self.device, region))
            .collect();
        if self.header.pepper.spare_to_destroy {
            results.push(self.destroy_spare().map(drop));
        }
        results
    }

    /// Why something that a power cut had left is still as it was when this
    /// vault was opened. The next [`Vault::open`] tries again.
    pub fn unfinished(&self) -> Option<VaultError> {
        self.unfinished
    }

    /// Reads the header and writes nothing.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_unrepaired(device: D) -> Result<Self, VaultError> {
        Ok(Self {
            header: read_header(&device)?,
            seen: Seen::now(&device),
            device,
            unfinished: None,
        })
    }

    /// What it stands on, for whoever looks at it in tests.
    #[cfg(test)]
    pub fn device(&self) -> &D {
        &self.device
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
    #[cfg(any(test, feature = "admin", feature = "fuzzing"))]
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
    fn may_have_been_reset(&self) -> bool {
        self.opened_slots().is_err_and(VaultError::may_be_a_reset)
    }

    fn opened_slots(&self) -> Result<OpenedTable, VaultError> {
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

    fn read_proven<T: authenticated::Authenticated>(
        &self,
        key: &MasterKey,
    ) -> Result<Proven<T>, VaultError> {
        let payload = store::read(&self.device, T::REGION)?.ok_or(VaultError::Damaged)?;
        authenticated::decode(&payload, key, &self.header).map(Proven::new)
    }
}

/// Whether a copy of the header has its mark or cannot be read: something is there
/// that was a vault, even if no copy is whole.
#[cfg(feature = "admin")]
pub fn has_header_mark(device: &dyn BlockDevice) -> bool {
    [HEADER.start, HEADER.start + HALF].into_iter().any(|copy| {
        let mut block = [0; BLOCK_SIZE];
        let read = device.read_block(copy, &mut block);
        read.is_err() || record::has_mark(HEADER, &block)
    })
}

fn read_header(device: &dyn BlockDevice) -> Result<Header, VaultError> {
    let payload = store::read(device, HEADER)?.ok_or(VaultError::NotAVault)?;
    postcard::from_bytes(&payload).map_err(|_| VaultError::Damaged)
}
