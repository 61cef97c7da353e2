//! A copy of the ways in that stands outside the vault: on every stick, beside
//! vault.conf, and beside every backup. With it the recovery code opens a server whose
//! vault is lost.
//!
//! It has the wraps alone. The way keys are not in it, sealed or not: a lost stick would
//! give them all away, and open with them what is wrapped for the others later.

use core::cmp::Ordering;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::framed::{Frame, FrameError};
use super::header::{Header, Identity, PepperInUse, ServerId, ServerName};
use super::kept_way::{KeptWayKey, StickWay};
use super::layout::Area;
use super::sticks::MAX_STICKS;
use super::ways::{CodeRefused, CodeWay, Ways};
use crate::keys::{CheckValue, EarlierKeys, Keyring, RecoveryCode, WayKey, WrappedKey};

/// Bytes of the file.
pub const WAYS_COPY_BYTES: usize = 8192;
/// Where the system keeps one, beside vault.conf.
pub const WAYS_COPY: &str = "/etc/stayput/ways";

const FRAME: Frame = Frame {
    mark: b"STAYPUTW",
    version: 1,
    bytes: WAYS_COPY_BYTES,
};

/// How the master key of a copy stands to what is to be written in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOfCopy {
    /// The same one, or one of before.
    Known,
    /// A later one: what is to be written is of an old copy of the vault.
    Later,
    /// Another one of the same number: one of two copies of the vault was given a new key.
    Other,
}

/// The wraps of one generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysCopy {
    server_id: ServerId,
    server_name: ServerName,
    /// Generation of the master key that is wrapped here.
    pub generation: u32,
    check: CheckValue,
    earlier: EarlierKeys,
    code: Option<(u8, WrappedKey)>,
    /// A stick stands here twice where it may have one of two way keys.
    sticks: Vec<([u8; 8], WrappedKey), { 2 * MAX_STICKS }>,
}

impl WaysCopy {
    /// Of what this vault has.
    pub fn of(header: &Header, ways: &Ways) -> Self {
        let of_stick = |stick: &StickWay| {
            let wraps = stick.all().map(|kept| (stick.id, kept.wrapped));
            wraps.collect::<Vec<_, 2>>()
        };
        Self {
            server_id: header.server_id,
            server_name: header.server_name.clone(),
            generation: header.generation,
            check: header.check,
            earlier: header.earlier.clone(),
            code: ways
                .code
                .as_ref()
                .map(|code| (code.number, code.kept.wrapped)),
            sticks: ways.sticks.iter().flat_map(of_stick).collect(),
        }
    }

    /// The file's bytes.
    pub fn encode(&self) -> std::vec::Vec<u8> {
        let mut payload = vec![0; FRAME.capacity()];
        let payload = postcard::to_slice(self, &mut payload).expect("the most wraps fit");
        FRAME.around(payload)
    }

    /// These bytes as a file whose digest fits, for fuzzing.
    #[cfg(feature = "fuzzing")]
    pub fn with_right_digest(payload: &[u8]) -> std::vec::Vec<u8> {
        FRAME.around(&payload[..payload.len().min(FRAME.capacity())])
    }

    /// Reads a file of this server.
    ///
    /// # Errors
    /// [`FrameError`]; one of another server counts as damaged.
    pub fn parse(bytes: &[u8], server_id: &ServerId) -> Result<Self, FrameError> {
        let payload = FRAME.payload(bytes)?;
        let copy: Self = postcard::from_bytes(payload).map_err(|_| FrameError::Damaged)?;
        let is_text = !copy.server_name.chars().any(char::is_control);
        match copy.server_id == *server_id && is_text {
            true => Ok(copy),
            false => Err(FrameError::Damaged),
        }
    }

    /// How its key stands to that of the copy that is to take its place.
    pub fn compared_with(&self, new: &Self) -> KeyOfCopy {
        match self.generation.cmp(&new.generation) {
            Ordering::Greater => KeyOfCopy::Later,
            Ordering::Equal if self.check != new.check => KeyOfCopy::Other,
            Ordering::Equal | Ordering::Less => KeyOfCopy::Known,
        }
    }

    /// Whether it is of the master key that this header names.
    pub fn is_of(&self, header: &Header) -> bool {
        self.generation == header.generation && self.check == header.check
    }

    /// How its key stands to all that the server has had.
    pub fn compared_with_all(&self, keys: &Keyring) -> KeyOfCopy {
        let server = &self.server_id;
        match keys.of_generation(self.generation) {
            _ if self.generation > keys.generation() => KeyOfCopy::Later,
            Some(key) if Header::check_value(key, server, self.generation) != self.check => {
                KeyOfCopy::Other
            }
            Some(_) | None => KeyOfCopy::Known,
        }
    }

    /// The header of the vault that this is a copy of, as far as it tells.
    fn header(&self) -> Header {
        Header {
            server_id: self.server_id,
            server_name: self.server_name.clone(),
            generation: self.generation,
            check: self.check,
            pepper: PepperInUse::new(Area::First, [0; 32], false),
            earlier: self.earlier.clone(),
            journal_to_apply: false,
        }
    }

    /// Whose vault it was.
    pub fn identity(&self) -> Identity {
        Identity {
            server_id: self.server_id,
            server_name: self.server_name.clone(),
            generation: self.generation,
            earlier: self.earlier.clone(),
        }
    }

    /// Whether it has anything for a code.
    pub fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// The ways in for a vault that is made anew; their way keys nobody knows.
    pub fn ways(&self) -> Ways {
        let mut ways = Ways {
            sticks: Vec::new(),
            code: self.code.map(|(number, wrapped)| CodeWay {
                number,
                kept: KeptWayKey::unknown(wrapped),
            }),
        };
        for (id, wrapped) in &self.sticks {
            let kept = KeptWayKey::unknown(*wrapped);
            match ways.sticks.iter_mut().find(|known| known.id == *id) {
                Some(known) => drop(known.other.get_or_insert(kept)),
                // A copy that somebody made up may have more than fit.
                None => drop(ways.sticks.push(StickWay {
                    id: *id,
                    kept,
                    other: None,
                    file: 0,
                })),
            }
        }
        ways
    }

    /// The master keys, by the recovery code; and the code's whole number.
    ///
    /// # Errors
    /// [`CodeRefused`].
    pub fn open_by_code(&self, code: &RecoveryCode) -> Result<(Keyring, u8), CodeRefused> {
        let header = self.header();
        let (number, _) = self.code.ok_or(CodeRefused::Lost)?;
        let key = self.ways().key_of_code(&header, code)?;
        let keys = header.keyring(&key).map_err(|_| CodeRefused::Wrong)?;
        Ok((keys, number))
    }

    /// The master keys, by the way key of a stick whose own file may be of an earlier
    /// generation.
    pub fn open_by_stick(&self, id: [u8; 8], way_key: &WayKey) -> Option<Keyring> {
        let header = self.header();
        let key = self.ways().key_of_stick(&header, id, way_key)?;
        header.keyring(&key).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{MasterKey, UnsealedWayKey};

    fn way_key() -> UnsealedWayKey {
        UnsealedWayKey {
            key: WayKey::random(),
            made_in: 1,
        }
    }

    /// A server whose key was replaced once, with as many sticks as fit, each of which may
    /// have one of two way keys.
    fn server() -> (Header, Keyring, Ways) {
        let first = Keyring::of_one(1, MasterKey::generate());
        let keys = first.next(MasterKey::generate()).unwrap();
        let mut header = Header::of_a_new_server(keys.current());
        header.generation = 2;
        header.check = Header::check_value(keys.current(), &header.server_id, 2);
        header.earlier = keys.seal_earlier(&header.server_id.0);
        let mut ways = Ways::default();
        for id in 0..MAX_STICKS as u8 {
            let of = (&way_key(), Some(&way_key()));
            assert!(ways.note(&header, keys.current(), [id; 8], of, 2));
        }
        (header, keys, ways)
    }

    #[test]
    fn the_code_and_a_copy_give_all_keys_of_a_lost_vault() {
        let (header, keys, mut ways) = server();
        let code = ways.make_code(&header, keys.current());
        let bytes = WaysCopy::of(&header, &ways).encode();
        assert_eq!(bytes.len(), WAYS_COPY_BYTES);
        let copy = WaysCopy::parse(&bytes, &header.server_id).unwrap();
        let (opened, number) = copy.open_by_code(&code).unwrap();
        assert_eq!((opened.generation(), number), (2, 1));
        for generation in [1, 2] {
            let found = opened.of_generation(generation).unwrap().expose();
            assert_eq!(found, keys.of_generation(generation).unwrap().expose());
        }
        let other = ways.make_code(&header, keys.current());
        let refused = copy.open_by_code(&other).err();
        assert_eq!(refused, Some(CodeRefused::Replaced));
    }

    #[test]
    fn a_stick_of_an_earlier_key_opens_what_a_newer_copy_has_for_it() {
        let (header, keys, mut ways) = server();
        let own = way_key();
        let next = way_key();
        let of = (&own, Some(&next));
        assert!(ways.note(&header, keys.current(), [3; 8], of, 1));
        let copy = WaysCopy::of(&header, &ways);
        for way_key in [&own.key, &next.key] {
            assert!(copy.open_by_stick([3; 8], way_key).is_some());
            assert!(copy.open_by_stick([4; 8], way_key).is_none());
        }
    }

    /// Whoever has found a stick, and the master key by its PIN, has the others' way keys
    /// by no file that lies on it.
    #[test]
    fn a_copy_has_no_way_key_for_whoever_has_the_master_key() {
        let (header, keys, mut ways) = server();
        ways.make_code(&header, keys.current());
        let taken = WaysCopy::of(&header, &ways).ways();
        let mut kept = taken.sticks.iter().flat_map(StickWay::all);
        assert!(kept.all(|kept| kept.sealed.is_none()));
        assert!(taken.code.is_some_and(|code| code.kept.sealed.is_none()));
        assert!(ways.code(&header, keys.current()).is_some());
    }

    #[test]
    fn a_copy_of_another_server_or_version_is_not_read() {
        let (header, _, ways) = server();
        let bytes = WaysCopy::of(&header, &ways).encode();
        let read = |bytes: &[u8], id| WaysCopy::parse(bytes, id).err();
        assert_eq!(read(&bytes, &header.server_id), None);
        let other = ServerId([9; 16]);
        assert_eq!(read(&bytes, &other), Some(FrameError::Damaged));
        let cut = &bytes[..100];
        assert_eq!(read(cut, &header.server_id), Some(FrameError::Damaged));
        let newer = Frame {
            version: FRAME.version + 1,
            ..FRAME
        };
        let newer = newer.around(b"");
        assert_eq!(read(&newer, &header.server_id), Some(FrameError::Newer));
    }
}
