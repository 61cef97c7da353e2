//! The key file of a backup stick: the master key of one server, under the stick's way
//! key, and that under a PIN.
//!
//! It is complete in itself: it opens the server of its generation whatever became of
//! the vault. A later generation it opens where the vault has the master key wrapped for
//! it. `docs/format.md` describes every byte.

use core::cmp::Ordering;
use core::fmt;

use heapless::String;
use serde::{Deserialize, Serialize};

use super::error::StickError;
use crate::keys::{
    EarlierKeys, Keyring, MasterKey, ScryptParams, Secret32, Stretch, UnsealedWayKey, WayKey,
    WrappedKey, random_bytes,
};
use crate::vault::{Frame, FrameError, Header, KnownStick, ServerId, ServerName, Ways, stick_way};

/// Bytes of the file.
pub const STICK_FILE_BYTES: usize = 4096;
/// Bytes of a PIN or passphrase, at most.
pub const PIN_MAX: usize = 128;

const FRAME: Frame = Frame {
    mark: b"STAYPUTK",
    version: 2,
    bytes: STICK_FILE_BYTES,
};

/// Names of the two copies, in the folder `stayput`.
pub fn file_names(server_id: &ServerId) -> [String<48>; 2] {
    ["", "-copy"].map(|suffix| {
        let mut name = String::new();
        fmt::write(&mut name, format_args!("{server_id}{suffix}.key"))
            .expect("32 digits and a suffix fit");
        name
    })
}

/// Name of the copy of the ways in, beside them.
pub fn ways_name(server_id: &ServerId) -> String<48> {
    let mut name = String::new();
    fmt::write(&mut name, format_args!("{server_id}.ways")).expect("32 digits and an ending fit");
    name
}

/// The random id in a stick's key file: what tells it from every other stick.
pub type StickId = [u8; 8];

/// What never changes on a stick; the way key's lock is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickInfo {
    /// Whose stick it is.
    pub server_id: ServerId,
    /// What people call that server.
    pub server_name: ServerName,
    /// Random; the vault's list of sticks has it too.
    pub stick_id: StickId,
    /// What the owner wrote on the stick.
    pub label: String<32>,
    /// Seconds since 1970 (UTC).
    pub made: u64,
    /// How the PIN is stretched; `None`: whoever has the stick has the key.
    stretch: Option<Stretch>,
}

/// The key file of a stick: the wrapped master key, and what tells whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickFile {
    /// What can be read without the PIN.
    pub info: StickInfo,
    /// The way key, under the PIN.
    locked: WrappedKey,
    /// Generation of the master key that it wraps.
    pub generation: u32,
    /// The master key of that generation, under the way key.
    wrapped: WrappedKey,
    /// Those before it, sealed under it.
    earlier: EarlierKeys,
}

impl StickInfo {
    /// Whether a PIN is needed.
    pub fn has_pin(&self) -> bool {
        self.stretch.is_some()
    }

    /// What the server of this generation notes of this stick, which was seen to open it
    /// at `verified` (seconds since 1970, UTC); where it is kept nobody has said.
    pub fn known(&self, generation: u32, verified: u64) -> KnownStick {
        KnownStick {
            id: self.stick_id,
            label: self.label.clone(),
            has_pin: self.has_pin(),
            generation,
            made: self.made,
            verified: Some(verified),
            kept: None,
        }
    }

    fn secret(&self, pin: &[u8]) -> Result<Secret32, StickError> {
        match self.stretch {
            // A hostile file may ask for anything; what is out of bounds
            // counts as damaged.
            Some(stretch) => stretch.secret(pin).map_err(|_| StickError::Damaged),
            // The lock then only protects against damage.
            None => Ok(Secret32::new([0; 32])),
        }
    }

    fn lock(&self, pin: &[u8], way_key: &WayKey) -> Result<WrappedKey, StickError> {
        let secret = self.secret(pin)?;
        let way = stick_way(&self.server_id, self.stick_id);
        Ok(way.lock(&secret, &self.beside(), way_key))
    }

    /// What the lock is bound to.
    fn beside(&self) -> Vec<u8> {
        let mut buffer = [0; 512];
        postcard::to_slice(self, &mut buffer)
            .expect("fields of fixed capacity fit")
            .to_vec()
    }
}

#[cfg(test)]
impl StickInfo {
    /// Of a stick with this id, of some server.
    pub fn example(stick_id: StickId) -> Self {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let info = StickFile::for_test(&header, &key, "office", b"").info;
        Self { stick_id, ..info }
    }
}

impl StickFile {
    /// Makes a new stick of the server; an empty `pin` means none. Its way key is for
    /// the vault: see [`Ways::note_stick`].
    pub fn make(
        header: &Header,
        keys: &Keyring,
        label: String<32>,
        made: u64,
        pin: &[u8],
    ) -> (Self, UnsealedWayKey) {
        Self::make_with(ScryptParams::PASSPHRASE, header, keys, label, made, pin)
    }

    /// Makes a new stick as [`StickFile::make`], where each guess of the PIN costs what
    /// `params` say.
    pub(crate) fn make_with(
        params: ScryptParams,
        header: &Header,
        keys: &Keyring,
        label: String<32>,
        made: u64,
        pin: &[u8],
    ) -> (Self, UnsealedWayKey) {
        let stretch = (!pin.is_empty()).then(|| Stretch::new(params));
        let info = StickInfo {
            server_id: header.server_id,
            server_name: header.server_name.clone(),
            stick_id: random_bytes(),
            label,
            made,
            stretch,
        };
        let way_key = UnsealedWayKey {
            key: WayKey::random(),
            made_in: keys.generation(),
        };
        let locked = info.lock(pin, &way_key.key);
        let locked = locked.expect("our own parameters are in bounds");
        (Self::of(info, locked, &way_key.key, keys), way_key)
    }

    fn of(info: StickInfo, locked: WrappedKey, way_key: &WayKey, keys: &Keyring) -> Self {
        let way = stick_way(&info.server_id, info.stick_id);
        Self {
            wrapped: way.wrap(way_key, keys.generation(), keys.current()),
            earlier: keys.seal_earlier(&info.server_id.0),
            generation: keys.generation(),
            info,
            locked,
        }
    }

    /// The same stick for the master key of now, without its PIN: `way_key` is what the
    /// vault has of it.
    #[must_use]
    pub fn renewed(&self, way_key: &WayKey, keys: &Keyring) -> Self {
        Self::of(self.info.clone(), self.locked, way_key, keys)
    }

    /// The same stick with a new way key, under the same PIN: what somebody may have
    /// learned of the old one opens nothing any more.
    ///
    /// # Errors
    /// [`StickError::Damaged`] when the file asks for a scrypt that is out of bounds.
    pub fn with_new_way(
        &self,
        pin: &[u8],
        keys: &Keyring,
    ) -> Result<(Self, UnsealedWayKey), StickError> {
        let way_key = UnsealedWayKey {
            key: WayKey::random(),
            made_in: keys.generation(),
        };
        let locked = self.info.lock(pin, &way_key.key)?;
        let file = Self::of(self.info.clone(), locked, &way_key.key, keys);
        Ok((file, way_key))
    }

    /// The key, if the PIN is right and it is the key of this server now, by the file
    /// alone.
    ///
    /// # Errors
    /// As [`StickFile::open_in`].
    pub fn open(&self, header: &Header, pin: &[u8]) -> Result<MasterKey, StickError> {
        self.open_in(header, &Ways::default(), pin)
    }

    /// The key, if the PIN is right and it is the key of this server now: by the file,
    /// or by what the vault has wrapped for this stick.
    ///
    /// # Errors
    /// As [`StickFile::way_key`]; [`StickError::Old`], [`StickError::Later`],
    /// [`StickError::OtherKey`].
    pub fn open_in(
        &self,
        header: &Header,
        ways: &Ways,
        pin: &[u8],
    ) -> Result<MasterKey, StickError> {
        let way_key = self.way_key(pin)?;
        let own = self.own_key(&way_key).filter(|key| header.accepts(key));
        own.or_else(|| ways.key_of_stick(header, self.info.stick_id, &way_key))
            .ok_or(match self.generation.cmp(&header.generation) {
                Ordering::Less => StickError::Old,
                Ordering::Equal => StickError::OtherKey,
                Ordering::Greater => StickError::Later,
            })
    }

    /// The stick's way key, if the PIN is right.
    ///
    /// # Errors
    /// [`StickError::WrongPin`], or [`StickError::Damaged`] where no PIN can be
    /// wrong.
    pub fn way_key(&self, pin: &[u8]) -> Result<WayKey, StickError> {
        let secret = self.info.secret(pin)?;
        let beside = self.info.beside();
        stick_way(&self.info.server_id, self.info.stick_id)
            .unlock(&secret, &beside, &self.locked)
            .map_err(|_| match self.info.stretch {
                Some(_) => StickError::WrongPin,
                None => StickError::Damaged,
            })
    }

    /// The master key that the file itself has. Whose key it is nobody has checked.
    pub fn own_key(&self, way_key: &WayKey) -> Option<MasterKey> {
        stick_way(&self.info.server_id, self.info.stick_id)
            .master_key(way_key, self.generation, &self.wrapped)
            .ok()
    }

    /// All master keys that the file has, by its way key.
    ///
    /// # Errors
    /// [`StickError::Damaged`].
    pub fn keys(&self, way_key: &WayKey) -> Result<Keyring, StickError> {
        let own = self.own_key(way_key).ok_or(StickError::Damaged)?;
        let server = &self.info.server_id.0;
        let opened = self.earlier.open(server, self.generation, &own);
        opened.map_err(|_| StickError::Damaged)
    }

    /// The earlier master keys, sealed under the one that the file has.
    pub fn earlier(&self) -> &EarlierKeys {
        &self.earlier
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = vec![0; FRAME.capacity()];
        let length = postcard::to_slice(self, &mut payload)
            .expect("fields of fixed capacity fit")
            .len();
        payload.truncate(length);
        payload
    }

    /// The file's bytes.
    pub fn encode(&self) -> [u8; STICK_FILE_BYTES] {
        let bytes = FRAME.around(&self.payload());
        bytes.try_into().expect("a file of one length")
    }

    /// These bytes as a file of the right length whose digest fits: past the
    /// check for damage, where fuzzing has something to find.
    #[cfg(feature = "fuzzing")]
    pub fn with_right_digest(payload: &[u8]) -> Vec<u8> {
        FRAME.around(&payload[..payload.len().min(FRAME.capacity())])
    }

    /// Reads one copy, of the server that the file's name says.
    ///
    /// # Errors
    /// As [`StickFile::parse_any`]; [`StickError::OtherServer`].
    pub fn parse(bytes: &[u8], header: &Header) -> Result<Self, StickError> {
        let file = Self::parse_any(bytes)?;
        if file.info.server_id != header.server_id {
            return Err(StickError::OtherServer);
        }
        Ok(file)
    }

    /// Reads one copy, of whatever server.
    ///
    /// # Errors
    /// [`StickError::Damaged`], [`StickError::Newer`], [`StickError::Older`].
    pub fn parse_any(bytes: &[u8]) -> Result<Self, StickError> {
        let payload = FRAME.payload(bytes)?;
        let file: Self = postcard::from_bytes(payload).map_err(|_| StickError::Damaged)?;
        if !is_text(&file.info.label) || !is_text(&file.info.server_name) {
            return Err(StickError::Damaged);
        }
        Ok(file)
    }
}

impl From<FrameError> for StickError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Damaged => Self::Damaged,
            FrameError::Newer => Self::Newer,
            FrameError::Older => Self::Older,
        }
    }
}

/// A label is shown at the prompt and stands in the log: it must not be able
/// to write over the screen.
fn is_text(label: &str) -> bool {
    !label.chars().any(char::is_control)
}

#[cfg(test)]
impl StickFile {
    /// A stick of a server that has had one master key, with the cheapest scrypt.
    pub fn for_test(header: &Header, key: &MasterKey, label: &str, pin: &[u8]) -> Self {
        let keys = Keyring::of_one(header.generation, key.clone());
        let (params, label) = (ScryptParams::CHEAPEST, label.try_into().unwrap());
        Self::make_with(params, header, &keys, label, 7, pin).0
    }

    /// What somebody makes of it who has seen the id of a stick of the server.
    #[cfg(feature = "admin")]
    pub fn with_id(&self, stick_id: StickId) -> Self {
        let (info, way_key) = (
            StickInfo {
                stick_id,
                ..self.info.clone()
            },
            WayKey::random(),
        );
        let keys = Keyring::of_one(self.generation, MasterKey::generate());
        let locked = info.lock(b"", &way_key).unwrap();
        Self::of(info, locked, &way_key, &keys)
    }
}

#[cfg(test)]
mod tests;
