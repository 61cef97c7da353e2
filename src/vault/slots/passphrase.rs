//! The slots of people: what each of them remembers opens the vault.
//!
//! An entry costs one scrypt, whoever it is from: there is one salt for all,
//! and the lock of each slot makes its own key of the result. All slots are
//! tried, whichever opens. Each has a way key of its own, also one for duress, which
//! wraps random bytes where another one wraps the master key; only who knows its
//! passphrase, or has the master key, can tell.

use core::fmt;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::SlotTable;
use crate::keys::{
    MasterKey, ScryptParams, SealedWayKey, Secret32, Stretch, UnsealedWayKey, Unwrapped, Way,
    WayKey, WayKind, WrappedKey,
};
use crate::vault::header::Header;

/// People with a passphrase, at most.
pub const MAX_PEOPLE: usize = 16;

/// What a person is called: at most 32 bytes, no control characters.
pub type PersonName = String<32>;

/// What a passphrase does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passphrase {
    /// Opens the server.
    Opens,
    /// Looks like a wrong one, and destroys the key on this disk.
    Duress,
}

/// The slot of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassphraseSlot {
    id: u32,
    /// Whose passphrase it is.
    pub name: PersonName,
    /// Seconds since 1970 (UTC).
    pub made: u64,
    /// When the passphrase was last changed, in seconds since 1970 (UTC).
    pub changed: u64,
    /// The way key, under the stretched passphrase.
    pub(super) locked: WrappedKey,
    /// The master key of now, or random bytes for duress, under the way key.
    pub(super) wrapped: WrappedKey,
    /// The way key, under the master key of now.
    sealed: SealedWayKey,
}

/// All of them. Without a salt there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passphrases {
    stretch: Option<Stretch>,
    pub(super) slots: Vec<PassphraseSlot, MAX_PEOPLE>,
}

/// Why nothing was added or changed; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassphraseError {
    /// 16 people have one already.
    Full,
    /// Somebody has this name already.
    NameTaken,
    /// Nobody has this name.
    NoSuchName,
    /// Another slot, whichever it is for, has this passphrase.
    InUse,
    /// The table asks for a scrypt that is out of bounds.
    Damaged,
}

impl fmt::Display for PassphraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "16 people have a passphrase already: that is the most.",
            Self::NameTaken => "There is a passphrase with this name already.",
            Self::NoSuchName => "There is no passphrase with this name.",
            Self::InUse => "This passphrase is in use already.",
            Self::Damaged => "The passphrases on this disk are damaged.",
        })
    }
}

/// What an entered passphrase turned out to be.
#[derive(Debug)]
pub enum PassphraseOutcome {
    /// It opens the server.
    Opened {
        /// The master key.
        key: MasterKey,
        /// Whose passphrase it is.
        name: PersonName,
    },
    /// It is one for duress.
    Duress,
    /// It is nobody's.
    Wrong,
}

impl PassphraseSlot {
    fn way(id: u32, header: &Header) -> Way {
        let mut way_id = [0; 8];
        way_id[..4].copy_from_slice(&id.to_le_bytes());
        Way {
            server: header.server_id.0,
            kind: WayKind::Person,
            id: way_id,
        }
    }

    /// What opens with this stretched passphrase, if it is the person's.
    fn open(&self, header: &Header, secret: &Secret32) -> Option<Unwrapped> {
        let way = Self::way(self.id, header);
        let key = way
            .unlock(secret, self.name.as_bytes(), &self.locked)
            .ok()?;
        way.unwrap(&key, header.generation, &self.wrapped).ok()
    }

    fn unsealed(&self, header: &Header, key: &MasterKey) -> Option<UnsealedWayKey> {
        let way = Self::way(self.id, header);
        way.unseal(key, header.generation, &self.sealed).ok()
    }

    /// What it does, as far as whoever has the master key has written it.
    pub fn kind(&self, header: &Header, key: &MasterKey) -> Option<Passphrase> {
        let opened = self.unsealed(header, key)?;
        let way = Self::way(self.id, header);
        match way
            .unwrap(&opened.key, header.generation, &self.wrapped)
            .ok()?
        {
            Unwrapped::Key(_) => Some(Passphrase::Opens),
            Unwrapped::Duress => Some(Passphrase::Duress),
        }
    }

    /// The generation in which its way key was made; `None` where nobody with the
    /// master key has made the slot.
    pub fn made_in(&self, header: &Header, key: &MasterKey) -> Option<u32> {
        self.unsealed(header, key).map(|opened| opened.made_in)
    }

    /// Gives the slot a new way key, under this stretched passphrase.
    fn set(&mut self, header: &Header, key: &MasterKey, kind: Passphrase, secret: &Secret32) {
        let way_key = UnsealedWayKey {
            key: WayKey::random(),
            made_in: header.generation,
        };
        let way = Self::way(self.id, header);
        self.locked = way.lock(secret, self.name.as_bytes(), &way_key.key);
        self.wrap(header, key, kind, &way_key);
    }

    /// Wraps the master key of `header`'s generation under a way key, and seals that.
    fn wrap(
        &mut self,
        header: &Header,
        key: &MasterKey,
        kind: Passphrase,
        way_key: &UnsealedWayKey,
    ) {
        let (way, generation) = (Self::way(self.id, header), header.generation);
        self.wrapped = match kind {
            Passphrase::Opens => way.wrap(&way_key.key, generation, key),
            Passphrase::Duress => way.wrap_duress(&way_key.key, generation),
        };
        self.sealed = way.seal(key, generation, way_key);
    }
}

impl Passphrases {
    /// One slot for each person, in the order in which they were added.
    pub fn slots(&self) -> &[PassphraseSlot] {
        &self.slots
    }

    /// Whether nobody has a passphrase.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, PassphraseError> {
        self.slots
            .iter()
            .position(|slot| slot.name == name)
            .ok_or(PassphraseError::NoSuchName)
    }

    /// Tries a passphrase on all slots, with one scrypt. It takes as long
    /// whether it opens, and whatever kind of slot it opens.
    pub fn enter(&self, header: &Header, passphrase: &[u8]) -> PassphraseOutcome {
        let secret = self
            .stretch
            .and_then(|stretch| stretch.secret(passphrase).ok());
        secret.map_or(PassphraseOutcome::Wrong, |secret| {
            self.try_all(header, &secret)
        })
    }

    /// Does not stop at the one that opens.
    fn try_all(&self, header: &Header, secret: &Secret32) -> PassphraseOutcome {
        let mut entered = PassphraseOutcome::Wrong;
        for slot in &self.slots {
            match slot.open(header, secret) {
                Some(Unwrapped::Key(key)) => {
                    let name = slot.name.clone();
                    entered = PassphraseOutcome::Opened { key, name };
                }
                Some(Unwrapped::Duress) => entered = PassphraseOutcome::Duress,
                None => {}
            }
        }
        entered
    }

    /// The stretched passphrase, when no slot opens with it yet.
    fn unused(&self, header: &Header, passphrase: &[u8]) -> Result<Secret32, PassphraseError> {
        let stretch = self.stretch.ok_or(PassphraseError::NoSuchName)?;
        let secret = stretch
            .secret(passphrase)
            .map_err(|_| PassphraseError::Damaged)?;
        match self.try_all(header, &secret) {
            PassphraseOutcome::Wrong => Ok(secret),
            PassphraseOutcome::Opened { .. } | PassphraseOutcome::Duress => {
                Err(PassphraseError::InUse)
            }
        }
    }

    /// Puts a new passphrase in place of a person's old one; it does the same.
    /// The other slots stay as they are.
    ///
    /// # Errors
    /// [`PassphraseError::NoSuchName`], [`PassphraseError::InUse`],
    /// [`PassphraseError::Damaged`] also where nobody with the master key has
    /// made the slot.
    pub fn change(
        &mut self,
        header: &Header,
        key: &MasterKey,
        name: &str,
        passphrase: &[u8],
        now: u64,
    ) -> Result<(), PassphraseError> {
        let at = self.position(name)?;
        let kind = self.slots[at].kind(header, key);
        let kind = kind.ok_or(PassphraseError::Damaged)?;
        let secret = self.unused(header, passphrase)?;
        let slot = &mut self.slots[at];
        slot.set(header, key, kind, &secret);
        slot.changed = now;
        Ok(())
    }

    /// Gives the person whose passphrase this is a new way key, if theirs is of an
    /// earlier generation: until then whoever has an old copy of the disk and an earlier
    /// master key could know it. Returns whether there is something to write.
    pub fn renew(&mut self, header: &Header, key: &MasterKey, passphrase: &[u8]) -> bool {
        let is_old = |slot: &PassphraseSlot| slot.made_in(header, key) < Some(header.generation);
        if !self.slots.iter().any(is_old) {
            return false;
        }
        let secret = self
            .stretch
            .and_then(|stretch| stretch.secret(passphrase).ok());
        let Some(secret) = secret else {
            return false;
        };
        let slots = self.slots.iter_mut();
        let mut own = slots.filter(|slot| slot.open(header, &secret).is_some());
        let Some(slot) = own.next() else {
            return false;
        };
        match slot.kind(header, key) {
            Some(kind) if is_old(slot) => slot.set(header, key, kind, &secret),
            _ => return false,
        }
        true
    }

    /// The same people, with the same words, for the master key of `next`. A slot that
    /// nobody with the master key has made is left out.
    pub fn under_next_key(
        &self,
        (header, key): (&Header, &MasterKey),
        (next_header, next_key): (&Header, &MasterKey),
    ) -> Self {
        let slots = self.slots.iter().filter_map(|slot| {
            let way_key = slot.unsealed(header, key)?;
            let kind = slot.kind(header, key)?;
            let mut slot = slot.clone();
            slot.wrap(next_header, next_key, kind, &way_key);
            Some(slot)
        });
        Self {
            stretch: self.stretch,
            slots: slots.collect(),
        }
    }

    /// Takes a person's passphrase away.
    ///
    /// # Errors
    /// [`PassphraseError::NoSuchName`].
    pub fn remove(&mut self, name: &str) -> Result<(), PassphraseError> {
        let at = self.position(name)?;
        self.slots.remove(at);
        Ok(())
    }
}

impl SlotTable {
    /// Gives a person a passphrase.
    ///
    /// # Errors
    /// [`PassphraseError`]; nothing was added then.
    pub fn add_passphrase(
        &mut self,
        header: &Header,
        key: &MasterKey,
        name: PersonName,
        kind: Passphrase,
        passphrase: &[u8],
        now: u64,
    ) -> Result<(), PassphraseError> {
        if self.passphrases.position(&name).is_ok() {
            return Err(PassphraseError::NameTaken);
        }
        if self.passphrases.slots.is_full() {
            return Err(PassphraseError::Full);
        }
        let stretch = || Stretch::new(ScryptParams::PASSPHRASE);
        self.passphrases.stretch.get_or_insert_with(stretch);
        let secret = self.passphrases.unused(header, passphrase)?;
        let id = self.take_id();
        let way_key = UnsealedWayKey {
            key: WayKey::random(),
            made_in: header.generation,
        };
        let way = PassphraseSlot::way(id, header);
        let mut slot = PassphraseSlot {
            id,
            made: now,
            changed: now,
            locked: way.lock(&secret, name.as_bytes(), &way_key.key),
            wrapped: WrappedKey::of_nothing(),
            sealed: way.seal(key, header.generation, &way_key),
            name,
        };
        slot.wrap(header, key, kind, &way_key);
        let _ = self.passphrases.slots.push(slot);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

/// As many as there can be, with everything at its largest.
#[cfg(test)]
pub use tests::largest;
