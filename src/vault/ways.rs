//! What the vault keeps of the sticks and of the recovery code: the master key, wrapped
//! for each of them, and their way keys, sealed under it. It stands outside the slots,
//! so that a reset leaves it; by itself it opens nothing.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::header::{Header, ServerId};
use super::sticks::MAX_STICKS;
use crate::keys::{
    MasterKey, RecoveryCode, SealedWayKey, UnsealedWayKey, Way, WayKey, WayKind, WrappedKey,
};

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

/// A stick's way in, as the vault has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickWay {
    /// The stick's id.
    pub id: [u8; 8],
    /// The master key of now, under the stick's way key.
    pub wrapped: WrappedKey,
    /// The way key, under the master key of now. It is missing where the vault was made
    /// anew and the stick has not been used since.
    pub sealed: Option<SealedWayKey>,
    /// Generation of the master key that the stick's own file wraps.
    pub file: u32,
}

/// The recovery code's way in, as the vault has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeWay {
    /// Counts the codes of this server, from 1; 16 comes before 1 again.
    pub number: u8,
    /// The master key of now, under the way key that the letters spell.
    pub wrapped: WrappedKey,
    /// The way key, under the master key of now. It is missing where the vault was made
    /// anew without the code.
    pub sealed: Option<SealedWayKey>,
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
    /// `file`; what was known of it before is replaced. A full list stays as it is.
    pub fn note_stick(
        &mut self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
        way_key: &UnsealedWayKey,
        file: u32,
    ) {
        let way = stick_way(&header.server_id, id);
        let noted = StickWay {
            id,
            wrapped: way.wrap(&way_key.key, header.generation, key),
            sealed: Some(way.seal(key, header.generation, way_key)),
            file,
        };
        match self.sticks.iter_mut().find(|known| known.id == id) {
            Some(known) => *known = noted,
            None => drop(self.sticks.push(noted)),
        }
    }

    /// What is known of this stick.
    pub fn stick(&self, id: [u8; 8]) -> Option<&StickWay> {
        self.sticks.iter().find(|known| known.id == id)
    }

    /// Takes a stick's way in away.
    pub fn forget_stick(&mut self, id: [u8; 8]) {
        self.sticks.retain(|known| known.id != id);
    }

    /// The master key, from the way key of this stick. Whether it is this server's is
    /// checked.
    pub fn key_of_stick(&self, header: &Header, id: [u8; 8], key: &WayKey) -> Option<MasterKey> {
        let known = self.stick(id)?;
        let way = stick_way(&header.server_id, id);
        let opened = way.master_key(key, header.generation, &known.wrapped);
        opened.ok().filter(|key| header.accepts(key))
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
        let opened = way.master_key(&code.way, header.generation, &known.wrapped);
        let accepted = opened.ok().filter(|key| header.accepts(key));
        accepted.ok_or(CodeRefused::Wrong)
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
            wrapped: way.wrap(&way_key.key, header.generation, key),
            sealed: Some(way.seal(key, header.generation, way_key)),
        });
    }

    /// The way key of this stick, where the vault has it.
    pub fn way_key_of_stick(
        &self,
        header: &Header,
        key: &MasterKey,
        id: [u8; 8],
    ) -> Option<UnsealedWayKey> {
        let sealed = self.stick(id)?.sealed.as_ref()?;
        let way = stick_way(&header.server_id, id);
        way.unseal(key, header.generation, sealed).ok()
    }

    /// The number and the way key of the recovery code, where the vault has it.
    pub fn way_key_of_code(
        &self,
        header: &Header,
        key: &MasterKey,
    ) -> Option<(u8, UnsealedWayKey)> {
        let known = self.code.as_ref()?;
        let way = code_way(&header.server_id, known.number);
        let opened = way.unseal(key, header.generation, known.sealed.as_ref()?);
        Some((known.number, opened.ok()?))
    }

    /// Those whose seals the master key opens, of a record that somebody may have
    /// written without it.
    pub(super) fn proven_by(mut self, header: &Header, key: &MasterKey) -> Self {
        self.sticks = self
            .sticks
            .iter()
            .filter(|known| self.way_key_of_stick(header, key, known.id).is_some())
            .cloned()
            .collect();
        if self.way_key_of_code(header, key).is_none() {
            self.code = None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> (Header, MasterKey) {
        let key = MasterKey::generate();
        (Header::of_a_new_server(&key), key)
    }

    fn way_key() -> UnsealedWayKey {
        UnsealedWayKey {
            key: WayKey::random(),
            made_in: 1,
        }
    }

    #[test]
    fn a_code_opens_until_another_one_is_made() {
        let (header, key) = server();
        let mut ways = Ways::default();
        let first = ways.make_code(&header, &key);
        let opened = ways.key_of_code(&header, &first).unwrap();
        assert_eq!(opened.expose(), key.expose());
        let shown = ways.code(&header, &key).unwrap();
        let letters = |code: &RecoveryCode| code.letters(&header.server_id.0).to_vec();
        assert_eq!(letters(&shown), letters(&first));
        let second = ways.make_code(&header, &key);
        let refused = ways.key_of_code(&header, &first).err();
        assert_eq!(refused, Some(CodeRefused::Replaced));
        assert!(ways.key_of_code(&header, &second).is_ok());
    }

    #[test]
    fn the_sixteenth_code_after_it_is_not_taken_for_the_first() {
        let (header, key) = server();
        let mut ways = Ways::default();
        let first = ways.make_code(&header, &key);
        for _ in 0..16 {
            ways.make_code(&header, &key);
        }
        let refused = ways.key_of_code(&header, &first).err();
        assert_eq!(refused, Some(CodeRefused::Wrong));
    }

    #[test]
    fn a_code_whose_part_in_the_vault_is_gone_is_not_called_wrong() {
        let (header, key) = server();
        let mut ways = Ways::default();
        let code = ways.make_code(&header, &key);
        ways.code = None;
        let refused = ways.key_of_code(&header, &code).unwrap_err();
        assert_eq!(refused, CodeRefused::Lost);
        assert!(refused.to_string().contains("backup stick"));
    }

    #[test]
    fn a_stick_opens_by_its_own_way_key_alone() {
        let (header, key) = server();
        let (mut ways, own) = (Ways::default(), way_key());
        ways.note_stick(&header, &key, [1; 8], &own, 1);
        ways.note_stick(&header, &key, [2; 8], &way_key(), 1);
        let opened = ways.key_of_stick(&header, [1; 8], &own.key).unwrap();
        assert_eq!(opened.expose(), key.expose());
        assert!(ways.key_of_stick(&header, [2; 8], &own.key).is_none());
        ways.forget_stick([1; 8]);
        assert!(ways.key_of_stick(&header, [1; 8], &own.key).is_none());
        assert_eq!(ways.sticks.len(), 1);
    }

    #[test]
    fn what_somebody_without_the_key_has_added_is_not_taken_over() {
        let (header, key) = server();
        let stranger = MasterKey::generate();
        let mut ways = Ways::default();
        ways.note_stick(&header, &key, [1; 8], &way_key(), 1);
        ways.note_stick(&header, &stranger, [2; 8], &way_key(), 1);
        ways.make_code(&header, &stranger);
        let proven = ways.proven_by(&header, &key);
        assert_eq!(proven.sticks.len(), 1);
        assert!(proven.stick([1; 8]).is_some() && proven.code.is_none());
    }
}
