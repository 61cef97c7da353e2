//! The slots of people: what each of them remembers opens the vault.
//!
//! An entry costs one scrypt, whoever it is from: there is one salt for all,
//! and the wrap of each slot makes its own key of the result. All slots are
//! tried, whichever opens. A slot for duress holds random bytes where another
//! one holds the master key; only who knows its passphrase, or has the master
//! key, can tell.

use core::fmt;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::SlotTable;
use crate::keys::{CheckValue, MasterKey, ScryptParams, Secret32, Stretch, Unwrapped, WrappedKey};
use crate::vault::header::Header;
use crate::vault::record::FORMAT_VERSION;

/// People with a passphrase, at most.
pub const MAX_PEOPLE: usize = 16;

/// What a person is called: at most 32 bytes, no control characters.
pub type PersonName = String<32>;

const WRAP: &str = "stayput passphrase v1";
const KIND: &str = "stayput passphrase kind v1";

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
    pub(super) wrapped: WrappedKey,
    /// Tells what the passphrase does to whoever has the master key.
    kind: CheckValue,
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
    /// What the wrap is bound to: nothing of it changes by itself.
    fn associated(&self, header: &Header) -> Vec<u8, { 25 + 32 }> {
        let mut data = Vec::new();
        let parts: [&[u8]; 5] = [
            &[FORMAT_VERSION],
            &header.server_id.0,
            &header.generation.to_le_bytes(),
            &self.id.to_le_bytes(),
            self.name.as_bytes(),
        ];
        for part in parts {
            data.extend_from_slice(part).expect("the parts fit");
        }
        data
    }

    fn kind_of(&self, header: &Header, key: &MasterKey, kind: Passphrase) -> CheckValue {
        let mut context: Vec<u8, { 26 + 32 }> = Vec::new();
        let kind = match kind {
            Passphrase::Opens => 1,
            Passphrase::Duress => 2,
        };
        let fits = context
            .extend_from_slice(&self.associated(header))
            .and_then(|()| context.extend_from_slice(&[kind]));
        fits.expect("a byte more fits");
        CheckValue::of(&key.derive(KIND), &context)
    }

    /// What it does, as far as whoever has the master key has written it.
    pub fn kind(&self, header: &Header, key: &MasterKey) -> Option<Passphrase> {
        [Passphrase::Opens, Passphrase::Duress]
            .into_iter()
            .find(|kind| self.kind_of(header, key, *kind) == self.kind)
    }

    fn wrap(&mut self, header: &Header, key: &MasterKey, kind: Passphrase, secret: &Secret32) {
        let associated = self.associated(header);
        self.wrapped = match kind {
            Passphrase::Opens => WrappedKey::wrap(secret, WRAP, &associated, key),
            Passphrase::Duress => WrappedKey::wrap_duress(secret, WRAP, &associated),
        };
        self.kind = self.kind_of(header, key, kind);
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
            let associated = slot.associated(header);
            match slot.wrapped.unwrap_any(secret, WRAP, &associated) {
                Ok(Unwrapped::Key(key)) => {
                    let name = slot.name.clone();
                    entered = PassphraseOutcome::Opened { key, name };
                }
                Ok(Unwrapped::Duress) => entered = PassphraseOutcome::Duress,
                Err(_) => {}
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
        slot.wrap(header, key, kind, &secret);
        slot.changed = now;
        Ok(())
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
        let mut slot = PassphraseSlot {
            id: self.take_id(),
            name,
            made: now,
            changed: now,
            wrapped: WrappedKey::of_nothing(),
            kind: CheckValue([0; 32]),
        };
        slot.wrap(header, key, kind, &secret);
        let _ = self.passphrases.slots.push(slot);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

/// As many as there can be, with everything at its largest.
#[cfg(test)]
pub use tests::largest;
