//! The list of backup sticks and of the recovery code of this server.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Ways;
use super::header::Header;
use super::record::FORMAT_VERSION;
use crate::keys::{MasterKey, Sealed, open, seal};
use crate::theft::WayBack;

/// Sticks in the list, at most.
pub const MAX_STICKS: usize = 32;

/// What the list says about a stick. The key is on the stick itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownStick {
    /// Random id, which is in the stick's key file too.
    pub id: [u8; 8],
    /// The label that the owner wrote on it.
    pub label: String<32>,
    /// Whether the stick needs a PIN.
    pub has_pin: bool,
    /// Generation of the master key that it wraps.
    pub generation: u32,
    /// When it was made, in seconds since 1970 (UTC).
    pub made: u64,
    /// When it was last seen to open, in seconds since 1970 (UTC).
    pub verified: Option<u64>,
    /// Where the owner says that it is kept, if anybody was asked.
    pub kept: Option<SealedPlace>,
}

/// What the list says about the recovery code. The code itself is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCode {
    /// Generation of the master key that it opens.
    pub generation: u32,
    /// When it was last typed back, in seconds since 1970 (UTC).
    pub verified: u64,
    /// Where the owner says that it is, if anybody was asked.
    pub kept: Option<SealedPlace>,
}

/// Where something is kept, in the owner's words.
pub type PlaceInWords = String<48>;

const PLACE: &str = "stayput kept place v1";
/// A place's length and its bytes, padded: how long it is does not show either.
const PLACE_BYTES: usize = 1 + 48;

/// Where a way back is kept, sealed under the master key: whoever has taken the
/// server does not read where to go next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPlace {
    sealed: Sealed,
    bytes: Vec<u8, PLACE_BYTES>,
}

impl SealedPlace {
    fn associated(header: &Header) -> [u8; 21] {
        let mut data = [0; 21];
        data[0] = FORMAT_VERSION;
        data[1..17].copy_from_slice(&header.server_id.0);
        data[17..].copy_from_slice(&header.generation.to_le_bytes());
        data
    }

    /// Seals what the owner says.
    pub fn seal(header: &Header, key: &MasterKey, place: &PlaceInWords) -> Self {
        let mut bytes = [0; PLACE_BYTES];
        bytes[0] = place.len() as u8;
        bytes[1..][..place.len()].copy_from_slice(place.as_bytes());
        let sealed = seal(
            &key.derive(PLACE),
            PLACE,
            &Self::associated(header),
            &mut bytes,
        );
        Self {
            sealed,
            bytes: bytes.into_iter().collect(),
        }
    }

    /// What the owner said; `None` where this is not the key, or it was changed.
    pub fn open(&self, header: &Header, key: &MasterKey) -> Option<PlaceInWords> {
        let mut bytes = Zeroizing::new(self.bytes.clone());
        let associated = Self::associated(header);
        open(
            &key.derive(PLACE),
            PLACE,
            &associated,
            &self.sealed,
            &mut bytes,
        )
        .ok()?;
        let (length, text) = bytes.split_first()?;
        let text = str::from_utf8(text.get(..usize::from(*length))?).ok()?;
        text.try_into().ok()
    }
}

/// The ways in outside the vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickList {
    /// The sticks that were made and not removed from the list.
    pub sticks: Vec<KnownStick, MAX_STICKS>,
    /// The recovery code, if it was ever written down.
    pub code: Option<KnownCode>,
}

impl KnownStick {
    /// The id as 16 hex digits.
    #[cfg(feature = "admin")]
    pub fn hex_id(&self) -> std::string::String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it is a way in without the `plugged` sticks: it was verified,
    /// has the master key of this `generation`, and is not one of them.
    pub fn opens_without(&self, generation: u32, plugged: &[[u8; 8]]) -> bool {
        self.generation == generation && self.verified.is_some() && !plugged.contains(&self.id)
    }
}

impl StickList {
    /// The list of a server that was reset: none of the sticks counts as verified any more.
    /// Those that were plugged in were wiped, and nobody knows which. Not the list that
    /// was written since: see [`super::Vault::set_sticks`].
    pub fn after_reset(mut self) -> Self {
        for stick in &mut self.sticks {
            stick.verified = None;
        }
        self
    }

    /// The list of what opens the server by these ways in: where they are lost, a stick of
    /// before the last new key and the code open nothing, whatever the list says. It is not
    /// to be written.
    pub fn backed_by(mut self, ways: &Ways, generation: u32) -> Self {
        for stick in &mut self.sticks {
            if !ways.have(stick.id, generation) {
                stick.verified = None;
            }
        }
        self.code = self.code.filter(|_| ways.code.is_some());
        self
    }

    /// Notes that a stick was seen to open the server; one that is not listed is added.
    pub fn note_verified(&mut self, seen: KnownStick) {
        match self.sticks.iter_mut().find(|known| known.id == seen.id) {
            Some(known) => {
                known.verified = seen.verified;
                known.generation = seen.generation;
            }
            // A full list stays as it is: the stick opens all the same.
            None => drop(self.sticks.push(seen)),
        }
    }

    /// Whether there is a way in without the `plugged` sticks: another verified
    /// stick with the master key of this `generation`, or its recovery code.
    pub fn way_back(&self, generation: u32, plugged: &[[u8; 8]]) -> WayBack {
        let mut sticks = self.sticks.iter();
        let stick = sticks.any(|stick| stick.opens_without(generation, plugged));
        if stick || self.code_of(generation).is_some() {
            WayBack::Listed
        } else {
            WayBack::None
        }
    }

    /// The recovery code, if it is of this `generation`.
    pub fn code_of(&self, generation: u32) -> Option<&KnownCode> {
        let code = self.code.as_ref();
        code.filter(|code| code.generation == generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verified_stick_of_this_key_elsewhere_is_a_way_back() {
        let stick = |id, generation, verified| KnownStick {
            id: [id; 8],
            label: String::new(),
            has_pin: true,
            generation,
            made: 0,
            verified,
            kept: None,
        };
        let list = |stick| StickList {
            sticks: [stick].into_iter().collect(),
            code: None,
        };
        let good = list(stick(1, 2, Some(5)));
        assert_eq!(good.way_back(2, &[]), WayBack::Listed);
        assert_eq!(good.way_back(2, &[[9; 8]]), WayBack::Listed);
        assert_eq!(good.way_back(2, &[[1; 8]]), WayBack::None);
        assert_eq!(list(stick(1, 1, Some(5))).way_back(2, &[]), WayBack::None);
        assert_eq!(list(stick(1, 2, None)).way_back(2, &[]), WayBack::None);
        assert_eq!(StickList::default().way_back(2, &[]), WayBack::None);
    }

    #[test]
    fn a_stick_that_nobody_listed_is_listed_once_it_opens() {
        let seen = |id, verified, generation| KnownStick {
            id: [id; 8],
            label: "attic".try_into().unwrap(),
            has_pin: true,
            generation,
            made: 5,
            verified: Some(verified),
            kept: None,
        };
        let mut list = StickList::default();
        list.note_verified(seen(1, 8, 1));
        list.note_verified(seen(2, 8, 1));
        list.note_verified(seen(1, 9, 2));
        let verified = list.sticks.iter().map(|known| known.verified);
        assert!(verified.eq([Some(9), Some(8)]));
        // It is one of the key of now, by its own file or by what the vault has for it.
        assert_eq!(list.sticks[0].generation, 2);
    }

    #[test]
    fn a_recovery_code_of_this_key_is_a_way_back() {
        let list = |generation| StickList {
            code: Some(KnownCode {
                generation,
                verified: 5,
                kept: None,
            }),
            ..StickList::default()
        };
        assert_eq!(list(2).way_back(2, &[]), WayBack::Listed);
        assert_eq!(list(1).way_back(2, &[]), WayBack::None);
    }

    #[test]
    fn what_the_ways_in_have_lost_is_no_way_back() {
        let key = MasterKey::generate();
        let mut header = Header::of_a_new_server(&key);
        let list = |generation| StickList {
            sticks: [KnownStick {
                id: [1; 8],
                label: String::new(),
                has_pin: true,
                generation,
                made: 0,
                verified: Some(5),
                kept: None,
            }]
            .into_iter()
            .collect(),
            code: Some(KnownCode {
                generation,
                verified: 5,
                kept: None,
            }),
        };
        let lost = Ways::default();
        // Of the first key a stick opens by itself; the code does not.
        let backed = list(1).backed_by(&lost, 1);
        assert!(backed.sticks[0].verified.is_some() && backed.code.is_none());
        assert_eq!(list(2).way_back(2, &[]), WayBack::Listed);
        assert_eq!(list(2).backed_by(&lost, 2).way_back(2, &[]), WayBack::None);
        header.generation = 2;
        let way_key = crate::keys::UnsealedWayKey {
            key: crate::keys::WayKey::random(),
            made_in: 2,
        };
        let mut ways = Ways::default();
        assert!(ways.note_stick(&header, &key, [1; 8], &way_key, 2));
        let backed = list(2).backed_by(&ways, 2);
        assert_eq!(backed.way_back(2, &[]), WayBack::Listed);
        assert_eq!(backed.way_back(2, &[[1; 8]]), WayBack::None, "no code");
    }

    #[test]
    fn where_it_is_kept_is_read_with_the_key_alone() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        for words in ["", "bank safe", &"x".repeat(48)] {
            let place = words.try_into().unwrap();
            let sealed = SealedPlace::seal(&header, &key, &place);
            assert_eq!(sealed.open(&header, &key), Some(place));
            assert_eq!(sealed.bytes.len(), PLACE_BYTES);
            assert_eq!(sealed.open(&header, &MasterKey::generate()), None);
            let other = Header::of_a_new_server(&key);
            assert_eq!(sealed.open(&other, &key), None);
        }
    }
}
