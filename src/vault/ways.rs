//! What the vault keeps of the sticks and of the recovery code: the master key, wrapped
//! for each of them, and their way keys, sealed under it. It stands outside the slots,
//! so that a reset leaves it; by itself it opens nothing.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::header::{Header, ServerId};
use super::kept_way::{KeptWayKey, StickWay};
use super::sticks::MAX_STICKS;
use crate::keys::{MasterKey, RecoveryCode, UnsealedWayKey, Way, WayKey, WayKind};

/// The id of the stick's way in.
pub fn stick_way(server: &ServerId, stick: [u8; 8]) -> Way {
    Way {
        server: server.0,
        kind: WayKind::Stick,
        id: stick,
    }
}

/// The id of the code's way in: its number.
pub fn code_way(server: &ServerId, number: u8) -> Way {
    Way {
        server: server.0,
        kind: WayKind::Code,
        id: [number, 0, 0, 0, 0, 0, 0, 0],
    }
}

/// The recovery code's way in, as the vault has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeWay {
    /// Counts the codes of this server, from 1; 16 comes before 1 again.
    pub number: u8,
    /// Of the way key that the letters spell.
    pub kept: KeptWayKey,
}

/// The ways in outside the slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// The sticks that were made and not taken off the list.
    pub sticks: Vec<StickWay, MAX_STICKS>,
    /// The recovery code, if one was ever shown.
    pub code: Option<CodeWay>,
}

/// Why the recovery code does not open this server, though it is one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefused {
    /// Another one was made since.
    Replaced,
    /// What it unwraps is lost.
    Lost,
    /// It does not open what is there: it is of a server with the same id, or somebody
    /// has changed the vault.
    Wrong,
}

impl core::fmt::Display for CodeRefused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Replaced => "This code is too old: another one was made since.",
            Self::Lost => {
                "The code is this server's, but what it unlocks is missing here. Use a backup \
                 stick: it has that too."
            }
            Self::Wrong => "The code is wrong, or it is of another server.",
        })
    }
}

/// Codes that are told apart by the number in their letters.
const NUMBERS: u8 = 16;

impl Ways {
    /// Notes a stick that has this way key and whose file wraps the master key of
    /// `file`; what was known of it before is replaced. Returns whether there was room.
    #[must_use]
    pub fn note_stick(
        &mut self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
        way_key: &UnsealedWayKey,
        file: u32,
    ) -> bool {
        self.note(header, key, id, (way_key, None), file)
    }

    /// Notes that a stick has opened this server with this way key. What was known of
    /// another one of its way keys stays: one of its copies may have that.
    #[must_use]
    pub fn note_used_stick(
        &mut self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
        way_key: &UnsealedWayKey,
        file: u32,
    ) -> bool {
        let way = stick_way(&header.server_id, id);
        let is_another = |kept: &&KeptWayKey| kept.open(&way, header, &way_key.key).is_none();
        let before = self.stick(id).into_iter().flat_map(StickWay::all);
        let other = before.filter(is_another).last().cloned();
        let noted = self.note_stick(header, key, id, way_key, file);
        for known in self.sticks.iter_mut().filter(|known| known.id == id) {
            known.other = other.clone();
        }
        noted
    }

    /// As [`Ways::note_stick`], of a stick that has the first of two way keys, and is about to
    /// be given the second.
    #[must_use]
    pub fn note(
        &mut self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
        (has, next): (&UnsealedWayKey, Option<&UnsealedWayKey>),
        file: u32,
    ) -> bool {
        let way = stick_way(&header.server_id, id);
        let kept = |way_key| KeptWayKey::of(&way, header, key, way_key);
        let noted = StickWay {
            id,
            kept: kept(has),
            other: next.map(kept),
            file,
        };
        match self.sticks.iter_mut().find(|known| known.id == id) {
            Some(known) => {
                *known = noted;
                true
            }
            None => self.sticks.push(noted).is_ok(),
        }
    }

    /// Notes that this stick was read back with the way key `has` in each copy of its
    /// file, which wraps the master key of `file`: it has no other one.
    pub fn settle_stick(
        &mut self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
        has: &WayKey,
        file: u32,
    ) {
        let way = stick_way(&header.server_id, id);
        let is_it = |kept: &KeptWayKey| {
            let opened = kept.unseal(&way, header, key);
            opened.is_some_and(|opened| opened.key == *has)
        };
        let Some(known) = self.sticks.iter_mut().find(|known| known.id == id) else {
            return;
        };
        let Some(kept) = known.all().find(|kept| is_it(kept)).cloned() else {
            return;
        };
        known.kept = kept;
        known.other = None;
        known.file = file;
    }

    /// What is known of this stick.
    pub fn stick(&self, id: [u8; 8]) -> Option<&StickWay> {
        self.sticks.iter().find(|known| known.id == id)
    }

    /// Whether a stick of the list opens the server, by what is here: its own file may be
    /// of an earlier master key. Of the first one it opens by itself.
    pub fn have(&self, stick: [u8; 8], generation: u32) -> bool {
        generation == 1 || self.stick(stick).is_some()
    }

    /// Takes a stick's way in away.
    pub fn forget_stick(&mut self, id: [u8; 8]) {
        self.sticks.retain(|known| known.id != id);
    }

    /// The master key, from the way key of this stick. Whether it is this server's is
    /// checked.
    pub fn key_of_stick(&self, header: &Header, id: [u8; 8], key: &WayKey) -> Option<MasterKey> {
        let way = stick_way(&header.server_id, id);
        let mut kept = self.stick(id)?.all();
        kept.find_map(|kept| kept.open(&way, header, key))
    }

    /// The master key, from the recovery code. Whether it is this server's is checked.
    ///
    /// # Errors
    /// [`CodeRefused`].
    pub fn key_of_code(
        &self,
        header: &Header,
        code: &RecoveryCode,
    ) -> Result<MasterKey, CodeRefused> {
        let known = self.code.as_ref().ok_or(CodeRefused::Lost)?;
        if known.number % NUMBERS != code.number {
            return Err(CodeRefused::Replaced);
        }
        let way = code_way(&header.server_id, known.number);
        let opened = known.kept.open(&way, header, &code.way);
        opened.ok_or(CodeRefused::Wrong)
    }

    /// The code of now, to be shown again.
    pub fn code(&self, header: &Header, key: &MasterKey) -> Option<RecoveryCode> {
        let (number, way_key) = self.way_key_of_code(header, key)?;
        Some(RecoveryCode::new(&way_key.key, number))
    }

    /// A new code, in the place of the one before.
    pub fn make_code(&mut self, header: &Header, key: &MasterKey) -> RecoveryCode {
        let before = self.code.as_ref().map_or(0, |known| known.number);
        let number = before % NUMBERS + 1;
        let way_key = UnsealedWayKey {
            key: WayKey::random(),
            made_in: header.generation,
        };
        self.note_code(header, key, number, &way_key);
        RecoveryCode::new(&way_key.key, number)
    }

    /// Notes the code of this number that has this way key.
    pub fn note_code(
        &mut self,
        header: &Header,
        key: &MasterKey,
        number: u8,
        way_key: &UnsealedWayKey,
    ) {
        let way = code_way(&header.server_id, number);
        self.code = Some(CodeWay {
            number,
            kept: KeptWayKey::of(&way, header, key, way_key),
        });
    }

    /// Adds the sticks, and the code, of which nothing is here.
    pub fn fill_from(&mut self, copy: &Self) {
        for theirs in &copy.sticks {
            if self.stick(theirs.id).is_none() {
                // As many as fit: those that are here come first.
                drop(self.sticks.push(theirs.clone()));
            }
        }
        if self.code.is_none() {
            self.code = copy.code.clone();
        }
    }

    /// Keeps the way keys that the ways in of a later master key, under the header `next`, are
    /// wrapped for. An id or a number is not enough: a stick may have got another way key
    /// since, and a lost paper the number of the one that came after it.
    pub fn keep_those_of(
        &mut self,
        (header, key): (&Header, &MasterKey),
        later: &Self,
        next: &Header,
    ) {
        let has_stick = |known: &StickWay| {
            let way = stick_way(&header.server_id, known.id);
            let is_in = |kept: &&KeptWayKey| {
                let own = kept.unseal(&way, header, key);
                own.is_some_and(|own| later.key_of_stick(next, known.id, &own.key).is_some())
            };
            let mut kept = known.all().filter(is_in).cloned();
            Some(StickWay {
                kept: kept.next()?,
                other: kept.next(),
                ..known.clone()
            })
        };
        self.sticks = self.sticks.iter().filter_map(has_stick).collect();
        if !self.has_code_of((header, key), later, next) {
            self.code = None;
        }
    }

    /// Whether `other`, under the header `theirs`, is wrapped for the code of these.
    fn has_code_of(
        &self,
        (header, key): (&Header, &MasterKey),
        other: &Self,
        theirs: &Header,
    ) -> bool {
        let own = self.way_key_of_code(header, key);
        own.is_some_and(|(number, own)| {
            let code = RecoveryCode::new(&own.key, number);
            other.key_of_code(theirs, &code).is_ok()
        })
    }

    /// Adds what a copy of the ways in under the same master key has and this has not:
    /// sticks, a stick's other way key, and another code.
    pub fn join(&mut self, copy: &Self, header: &Header, key: &MasterKey) {
        for theirs in &copy.sticks {
            let way = stick_way(&header.server_id, theirs.id);
            let own = self.way_keys_of_stick(header, key, theirs.id);
            let is_own = |kept: &KeptWayKey| {
                let mut own = own.iter();
                own.any(|own| kept.open(&way, header, &own.key).is_some())
            };
            let mut new = theirs.all().filter(|kept| !is_own(kept)).cloned();
            match self.sticks.iter_mut().find(|known| known.id == theirs.id) {
                Some(known) => known.other = known.other.take().or_else(|| new.next()),
                // As many as the copy has fit.
                None => drop(self.sticks.push(theirs.clone())),
            }
        }
        if copy.code.is_some() && !self.has_code_of((header, key), copy, header) {
            self.code = copy.code.clone();
        }
    }

    /// The way keys that this stick may have, as far as the vault has them: none, one, or
    /// two where it was not read back since it was given another one.
    pub fn way_keys_of_stick(
        &self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
    ) -> std::vec::Vec<UnsealedWayKey> {
        let way = stick_way(&header.server_id, id);
        let known = self.stick(id).into_iter().flat_map(StickWay::all);
        known
            .filter_map(|kept| kept.unseal(&way, header, key))
            .collect()
    }

    /// The number and the way key of the recovery code, where the vault has it.
    pub fn way_key_of_code(
        &self,
        header: &Header,
        key: &MasterKey,
    ) -> Option<(u8, UnsealedWayKey)> {
        let known = self.code.as_ref()?;
        let way = code_way(&header.server_id, known.number);
        Some((known.number, known.kept.unseal(&way, header, key)?))
    }

    /// The ways in of these sticks and this code, wrapped anew for the master key `to`. Those whose
    /// way keys `from` does not unseal are left out: nobody has kept them, or somebody has
    /// written them without it.
    pub(super) fn wrapped_anew(
        &self,
        from: (&Header, &MasterKey),
        to: (&Header, &MasterKey),
    ) -> Self {
        let mut anew = Self::default();
        for StickWay { id, file, .. } in &self.sticks {
            let way_keys = self.way_keys_of_stick(from.0, from.1, *id);
            if let Some((has, other)) = way_keys.split_first() {
                let noted = anew.note(to.0, to.1, *id, (has, other.first()), *file);
                debug_assert!(noted, "there were as many before");
            }
        }
        if let Some((number, way_key)) = self.way_key_of_code(from.0, from.1) {
            anew.note_code(to.0, to.1, number, &way_key);
        }
        anew
    }

    /// Those whose seals the master key opens, of a record that somebody may have
    /// written without it. What stood beside the seals is not proven.
    pub(super) fn proven_by(&self, header: &Header, key: &MasterKey) -> Self {
        self.wrapped_anew((header, key), (header, key))
    }
}

#[cfg(test)]
mod tests;
