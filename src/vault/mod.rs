//! The vault: the small region on the disk that holds the header, the theft
//! state, the policy, the slots, the pepper and the event log.
//!
//! [`Vault`] is the only way in; `layout` says where everything stands and
//! `docs/format.md` describes every byte.

mod authenticated;
mod copies;
mod creating;
mod destruction;
mod device;
mod error;
mod event;
mod event_chain;
mod event_log;
mod event_proof;
mod framed;
pub mod gpt;
mod header;
mod journal;
mod kept_way;
mod layout;
pub mod locate;
pub mod partitions;
mod pepper;
mod policy;
mod proof;
mod read_ahead;
mod reading;
mod record;
mod rekey;
mod slots;
mod sticks;
mod store;
mod theft;
#[cfg(feature = "admin")]
mod traces;
mod vault_conf;
mod verified_sticks;
mod ways;
mod ways_copy;
mod writing;

#[cfg(any(test, feature = "fuzzing"))]
mod tests;

pub use creating::FirstRecords;
pub use destruction::{Destroyed, ResetTarget};
pub use device::{BlockDevice, Discarded};
pub use error::VaultError;
pub use event::{EventKind, LockedBecause, LoggedEvent, OpenedBy, wrong_entries};
pub use event_proof::{EventSpan, ProofStatus};
pub use framed::{Frame, FrameError};
pub use header::{Header, Identity, NotAServerId, ServerId, ServerName};
pub use kept_way::{KeptWayKey, StickWay};
pub use layout::{BLOCK_SIZE, VAULT_BLOCKS, VAULT_BYTES};
#[cfg(all(test, feature = "admin"))]
pub use layout::{LOG_BLOCKS, LOG_NEWEST, log};
pub use locate::LocateError;
pub use policy::{
    DEFAULT_KEY_IDS, Keep, KeyId, MAX_KEY_IDS, MAX_NEIGHBOURS, MariadbRelease, Policy,
};
pub use proof::{Proven, ProvenRecords, Unproven};
pub use record::FORMAT_VERSION;
pub use rekey::{NextGeneration, NextRecords};
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
pub use ways::{CodeRefused, CodeWay, Ways, code_way, stick_way};
pub use ways_copy::{KeyOfCopy, WAYS_COPY, WAYS_COPY_BYTES, WaysCopy};

#[cfg(feature = "fuzzing")]
pub use authenticated::read_as_each as read_as_each_record;
#[cfg(any(test, feature = "fuzzing"))]
pub use tests::MemoryDevice;

use crate::keys::MasterKey;
use crate::theft::TheftState;
use layout::{HEADER, POLICY, STATE, STICKS, WAYS};
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
        let regions = [STATE, HEADER, POLICY, STICKS, WAYS, slots];
        let mut results: Vec<_> = regions
            .into_iter()
            .map(|region| store::repair(&mut self.device, region))
            .collect();
        // Before the spare is destroyed: a record of the earlier generation opens nothing.
        if self.header.journal_to_apply {
            results.push(self.apply_journal().map(drop));
        }
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
}

/// Whether a copy of the header has its mark or cannot be read: something is there
/// that was a vault, even if no copy is whole.
#[cfg(feature = "admin")]
pub fn has_header_mark(device: &dyn BlockDevice) -> bool {
    [HEADER.start, HEADER.start + layout::HALF]
        .into_iter()
        .any(|copy| {
            let mut block = [0; BLOCK_SIZE];
            let read = device.read_block(copy, &mut block);
            read.is_err() || record::has_mark(HEADER, &block)
        })
}

fn read_header(device: &dyn BlockDevice) -> Result<Header, VaultError> {
    let payload = store::read(device, HEADER)?.ok_or(VaultError::NotAVault)?;
    postcard::from_bytes(&payload).map_err(|_| VaultError::Damaged)
}
