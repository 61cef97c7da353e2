//! A new vault, on a device that holds nothing that counts.

use super::event_log;
use super::header::{Header, Identity, PepperInUse, ServerId, ServerName};
use super::layout::{Area, BLOCK_SIZE, HALF, HEADER, VAULT_BLOCKS};
use super::pepper::digest;
use super::writing::Seen;
use super::{BlockDevice, Policy, SlotTable, StickList, Vault, VaultError, Ways, Written};
use crate::keys::{EarlierKeys, MasterKey, Secret32};
use crate::theft::TheftState;

/// What a new vault holds beside its slots.
#[derive(Default)]
pub struct FirstRecords {
    /// What is released, and what a theft means.
    pub policy: Policy,
    /// The sticks and the code that are known.
    pub sticks: StickList,
    /// What sticks and code open it by.
    pub ways: Ways,
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
            earlier: EarlierKeys::default(),
        };
        Self::create_as(device, identity, key, slots, |_| FirstRecords::default())
    }

    /// Makes a new vault, also of a server that has lost the one it had: `key` is
    /// then the master key that it has, and `first` what it had beside its slots. A vault whose
    /// header is there has all of it.
    ///
    /// # Errors
    /// [`VaultError::Device`], also where the disk refuses a single block: no
    /// vault begins on a disk that fails. [`VaultError::Busy`].
    pub fn create_as(
        mut device: D,
        identity: Identity,
        key: &MasterKey,
        slots: &SlotTable,
        first: impl FnOnce(&Header) -> FirstRecords,
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
            earlier,
        } = identity;
        let header = Header {
            server_id,
            server_name,
            generation,
            check: Header::check_value(key, &server_id, generation),
            pepper: PepperInUse::new(Area::First, digest(&pepper), false),
            earlier,
            journal_to_apply: false,
        };
        let first = first(&header);
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
            vault.write_proven(key, &first.policy)?,
            vault.write_proven(key, &first.sticks)?,
            vault.write_proven(key, &first.ways)?,
            event_log::begin(&mut vault.device, &vault.header, key)?,
            vault.write_header(vault.header.clone())?,
        ];
        vault.device.unlock();
        match written.contains(&Written::Once) {
            true => Err(VaultError::Device(libc::EIO)),
            false => Ok(vault),
        }
    }
}
