//! The next master key: everything that the one of now proves, wraps and seals is made
//! anew for it, and put in force at once.
//!
//! The new slots go to the spare area under a new pepper, all other records to the
//! journal; then the header names the next generation, and whoever opens the vault from
//! then on goes on from there. Nothing of it asks anybody for anything.

use super::header::{Header, PepperInUse};
use super::journal::Journal;
use super::layout::{HEADER, LOG_NEWEST, POLICY, STICKS, WAYS};
use super::pepper::{self, digest};
use super::{
    BlockDevice, EventKind, Policy, SlotTable, StickList, Vault, VaultError, Ways, Written,
    authenticated, event_log, store,
};
use crate::keys::{Keyring, MasterKey, Secret32};
use crate::theft::TheftState;

/// The header and all master keys of the next generation. What is made for it is bound
/// to these.
pub struct NextGeneration {
    /// The header, but for the pepper.
    pub header: Header,
    /// The next master key, and those before it.
    pub keys: Keyring,
}

impl NextGeneration {
    /// Draws the next master key of a server; `None` where it has had too many.
    pub fn of(header: &Header, keys: &Keyring) -> Option<Self> {
        Self::with(header, keys, MasterKey::generate())
    }

    /// The same with this next master key.
    pub fn with(header: &Header, keys: &Keyring, next: MasterKey) -> Option<Self> {
        Some(Self::adopting(header, keys.next(next)?))
    }

    /// The newest of these keys, which the server has had already: `header` is of a vault
    /// that is an old copy.
    pub fn adopting(header: &Header, keys: Keyring) -> Self {
        let server = &header.server_id;
        let header = Header {
            generation: keys.generation(),
            check: Header::check_value(keys.current(), server, keys.generation()),
            earlier: keys.seal_earlier(&server.0),
            journal_to_apply: true,
            ..header.clone()
        };
        Self { header, keys }
    }

    /// The next master key.
    pub fn key(&self) -> &MasterKey {
        self.keys.current()
    }

    /// The same sticks and the same code for the next master key. Those whose way key
    /// nobody has kept are left out.
    pub fn ways(&self, ways: &Ways, now: (&Header, &MasterKey)) -> Ways {
        ways.wrapped_anew(now, (&self.header, self.key()))
    }

    /// The same list for the next master key: what `ways` has opens it.
    pub fn sticks(
        &self,
        list: &StickList,
        ways: &Ways,
        (header, key): (&Header, &MasterKey),
    ) -> StickList {
        let mut next = list.clone();
        let again = |kept: &mut Option<super::SealedPlace>| {
            let place = kept.as_ref().and_then(|kept| kept.open(header, key));
            *kept = place.map(|place| super::SealedPlace::seal(&self.header, self.key(), &place));
        };
        for stick in &mut next.sticks {
            again(&mut stick.kept);
            if ways.stick(stick.id).is_some() && stick.generation == header.generation {
                stick.generation = self.header.generation;
            }
        }
        if let Some(code) = &mut next.code {
            again(&mut code.kept);
            if ways.code.is_some() && code.generation == header.generation {
                code.generation = self.header.generation;
            }
        }
        next
    }
}

/// What is put in force together.
pub struct NextRecords<'a> {
    /// Places and people, made for the next master key.
    pub slots: &'a SlotTable,
    /// The sticks and the code that stay.
    pub ways: &'a Ways,
    /// The list of them.
    pub sticks: &'a StickList,
    /// The policy, where it changes too.
    pub policy: Option<&'a Policy>,
    /// Time of the event in the log, in seconds since 1970 (UTC), and the boot's id.
    pub at: (u64, [u8; 16]),
}

impl<D: BlockDevice> Vault<D> {
    /// Puts the next master key in force. The policy stays what it is unless another one is
    /// given, and so do strikes. After a power cut all of it is in force, or nothing.
    ///
    /// # Errors
    /// [`VaultError::Device`]: the old key or the new one is in force.
    /// [`VaultError::WasReset`] where no place opens the vault, or somebody has reset it
    /// meanwhile. [`VaultError::WrongKey`], [`VaultError::Altered`],
    /// [`VaultError::Busy`], [`VaultError::Changed`].
    pub fn rekey(
        &mut self,
        key: &MasterKey,
        next: &NextGeneration,
        records: &NextRecords<'_>,
    ) -> Result<Written, VaultError> {
        if !self.accepts(key) {
            return Err(VaultError::WrongKey);
        }
        self.exclusively(|vault| vault.rekey_now(key, next, records))
    }

    fn rekey_now(
        &mut self,
        key: &MasterKey,
        next: &NextGeneration,
        records: &NextRecords<'_>,
    ) -> Result<Written, VaultError> {
        if self.may_have_been_reset() {
            return Err(VaultError::WasReset);
        }
        for region in [HEADER, POLICY, STICKS, WAYS] {
            self.must_be_current(region)?;
        }
        let policy = self.read_proven::<Policy>(key)?;
        let spare = self.header.pepper.area().other();
        let pepper = Secret32::random();
        let table = {
            let payload = records.slots.seal(next.key(), &pepper, &next.header, spare);
            pepper::write(&mut self.device, spare, &pepper)?;
            pepper::read(&self.device, spare, &digest(&pepper))?;
            store::write(&mut self.device, spare.slots(), &payload)?
        };
        let event = EventKind::KeyReplaced {
            generation: next.header.generation,
        };
        let (ring, log) = event_log::under_next_key(
            &mut self.device,
            (&self.header, key),
            (&next.header, next.key()),
            records.at,
            event,
        )?;
        let journal = [
            (
                POLICY,
                authenticated::encode(records.policy.unwrap_or(&policy), next.key(), &next.header),
            ),
            (
                STICKS,
                authenticated::encode(records.sticks, next.key(), &next.header),
            ),
            (
                WAYS,
                authenticated::encode(records.ways, next.key(), &next.header),
            ),
            (LOG_NEWEST, log),
        ];
        let journal = Journal::of(&self.device, &journal).write(&mut self.device)?;
        let mut header = next.header.clone();
        header.pepper = PepperInUse::new(spare, digest(&pepper), true);
        // From here on it is the next master key.
        let named = self.write_header(header)?;
        let applied = self.apply_journal()?;
        for region in [POLICY, STICKS, WAYS] {
            self.renew_seen(region);
        }
        let destroyed = self.destroy_spare()?;
        let mut written = table.and(ring).and(journal).and(named);
        written = written.and(applied).and(destroyed);
        if self.was_reset_meanwhile() {
            self.finish_reset();
            return Err(VaultError::WasReset);
        }
        if self.state() == Ok(TheftState::Armed) {
            written = written.and(self.write_proven(next.key(), &TheftState::Armed)?);
        }
        Ok(written)
    }
}
