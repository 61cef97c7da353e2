//! The key file of a backup stick: the master key of one server, under a PIN.
//!
//! It is complete in itself: it opens the server before and after anything
//! that happens to the vault. `docs/format.md` describes every byte.

use core::fmt;

use heapless::String;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::StickError;
use crate::keys::{MasterKey, ScryptParams, Secret32, Stretch, WrappedKey, random_bytes};
use crate::vault::{Header, KnownStick, ServerId, ServerName};

/// Bytes of the file.
pub const STICK_FILE_BYTES: usize = 4096;
/// Bytes of a PIN or passphrase, at most.
pub const PIN_MAX: usize = 128;

const MAGIC: &[u8; 8] = b"STAYPUTK";
const VERSION: u8 = 1;
/// Magic, version, length, digest.
const HEAD: usize = 48;
const LABEL: &str = "stayput stick v1";

/// Names of the two copies, in the folder `stayput`.
pub fn file_names(server_id: &ServerId) -> [String<48>; 2] {
    ["", "-copy"].map(|suffix| {
        let mut name = String::new();
        fmt::write(&mut name, format_args!("{server_id}{suffix}.key"))
            .expect("32 digits and a suffix fit");
        name
    })
}

/// The random id in a stick's key file: what tells it from every other stick.
pub type StickId = [u8; 8];

/// Everything but the wrapped key; the wrap is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickInfo {
    /// Whose stick it is.
    pub server_id: ServerId,
    /// What people call that server.
    pub server_name: ServerName,
    /// Which master key it wraps.
    pub generation: u32,
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
    wrapped: WrappedKey,
}

impl StickInfo {
    /// Whether a PIN is needed.
    pub fn has_pin(&self) -> bool {
        self.stretch.is_some()
    }

    /// What the server notes of this stick, which was seen to open it at
    /// `verified` (seconds since 1970, UTC); where it is kept nobody has said.
    pub fn known(&self, verified: u64) -> KnownStick {
        KnownStick {
            id: self.stick_id,
            label: self.label.clone(),
            has_pin: self.has_pin(),
            generation: self.generation,
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
            // The wrap then only protects against damage.
            None => Ok(Secret32::new([0; 32])),
        }
    }

    fn associated<'a>(&self, buffer: &'a mut [u8; 512]) -> &'a [u8] {
        postcard::to_slice(self, buffer).expect("fields of fixed capacity fit")
    }
}

#[cfg(test)]
impl StickInfo {
    /// Of a stick with this id, of some server.
    pub fn example(stick_id: StickId) -> Self {
        let _cheap = crate::keys::CheapFactors::begin();
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let label = "office".try_into().expect("a short name fits");
        let info = StickFile::make(&header, &key, label, 1, b"").info;
        Self { stick_id, ..info }
    }
}

impl StickFile {
    /// Wraps `key` for a new stick of the server; an empty `pin` means none.
    pub fn make(
        header: &Header,
        key: &MasterKey,
        label: String<32>,
        made: u64,
        pin: &[u8],
    ) -> Self {
        Self::make_with(ScryptParams::PASSPHRASE, header, key, label, made, pin)
    }

    /// Wraps `key` for a new stick as [`StickFile::make`], where each guess of
    /// the PIN costs what `params` say.
    pub(crate) fn make_with(
        params: ScryptParams,
        header: &Header,
        key: &MasterKey,
        label: String<32>,
        made: u64,
        pin: &[u8],
    ) -> Self {
        let stretch = (!pin.is_empty()).then(|| Stretch::new(params));
        let info = StickInfo {
            server_id: header.server_id,
            server_name: header.server_name.clone(),
            generation: header.generation,
            stick_id: random_bytes(),
            label,
            made,
            stretch,
        };
        let secret = info.secret(pin).expect("our own parameters are in bounds");
        let wrapped = WrappedKey::wrap(&secret, LABEL, info.associated(&mut [0; 512]), key);
        Self { info, wrapped }
    }

    /// The key, if the PIN is right and it is the key of this server now.
    ///
    /// # Errors
    /// As [`StickFile::key`]; [`StickError::Old`].
    pub fn open(&self, header: &Header, pin: &[u8]) -> Result<MasterKey, StickError> {
        let key = self.key(pin)?;
        if header.accepts(&key) {
            Ok(key)
        } else {
            Err(StickError::Old)
        }
    }

    /// The key, if the PIN is right. Whose key it is nobody has checked.
    ///
    /// # Errors
    /// [`StickError::WrongPin`], or [`StickError::Damaged`] where no PIN can be
    /// wrong.
    pub fn key(&self, pin: &[u8]) -> Result<MasterKey, StickError> {
        let secret = self.info.secret(pin)?;
        self.wrapped
            .unwrap(&secret, LABEL, self.info.associated(&mut [0; 512]))
            .map_err(|_| match self.info.stretch {
                Some(_) => StickError::WrongPin,
                None => StickError::Damaged,
            })
    }

    /// The file's bytes.
    pub fn encode(&self) -> [u8; STICK_FILE_BYTES] {
        let mut bytes = [0; STICK_FILE_BYTES];
        let length = postcard::to_slice(self, &mut bytes[HEAD..])
            .expect("fields of fixed capacity fit")
            .len();
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = VERSION;
        bytes[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        let digest = digest(&bytes, length);
        bytes[16..HEAD].copy_from_slice(&digest);
        bytes
    }

    /// These bytes as a file of the right length whose digest fits: past the
    /// check for damage, where fuzzing has something to find.
    #[cfg(feature = "fuzzing")]
    pub fn with_right_digest(payload: &[u8]) -> [u8; STICK_FILE_BYTES] {
        let mut bytes = [0; STICK_FILE_BYTES];
        let length = payload.len().min(STICK_FILE_BYTES - HEAD);
        bytes[HEAD..HEAD + length].copy_from_slice(&payload[..length]);
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = VERSION;
        bytes[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        let digest = digest(&bytes, length);
        bytes[16..HEAD].copy_from_slice(&digest);
        bytes
    }

    /// Reads one copy, of the server that the file's name says.
    ///
    /// # Errors
    /// As [`StickFile::parse_any`]; [`StickError::OtherServer`],
    /// [`StickError::Old`].
    pub fn parse(bytes: &[u8], header: &Header) -> Result<Self, StickError> {
        let file = Self::parse_any(bytes)?;
        if file.info.server_id != header.server_id {
            return Err(StickError::OtherServer);
        }
        if file.info.generation < header.generation {
            return Err(StickError::Old);
        }
        Ok(file)
    }

    /// Reads one copy, of whatever server.
    ///
    /// # Errors
    /// [`StickError::Damaged`], [`StickError::Newer`].
    pub fn parse_any(bytes: &[u8]) -> Result<Self, StickError> {
        let bytes: &[u8; STICK_FILE_BYTES] = bytes.try_into().map_err(|_| StickError::Damaged)?;
        let length = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes")) as usize;
        let whole = bytes.starts_with(MAGIC)
            && length <= STICK_FILE_BYTES - HEAD
            && digest(bytes, length)[..] == bytes[16..HEAD];
        if !whole {
            return Err(StickError::Damaged);
        }
        if bytes[8] != VERSION {
            return Err(StickError::Newer);
        }
        let file: Self =
            postcard::from_bytes(&bytes[HEAD..HEAD + length]).map_err(|_| StickError::Damaged)?;
        if !is_text(&file.info.label) || !is_text(&file.info.server_name) {
            return Err(StickError::Damaged);
        }
        Ok(file)
    }
}

/// A label is shown at the prompt and stands in the log: it must not be able
/// to write over the screen.
fn is_text(label: &str) -> bool {
    !label.chars().any(char::is_control)
}

/// Over the head before it and the payload.
fn digest(bytes: &[u8; STICK_FILE_BYTES], length: usize) -> [u8; 32] {
    Sha256::new()
        .chain_update(&bytes[..16])
        .chain_update(&bytes[HEAD..HEAD + length])
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn server() -> (Header, MasterKey) {
        let key = MasterKey::generate();
        (Header::of_a_new_server(&key), key)
    }

    fn stick(header: &Header, key: &MasterKey, pin: &[u8]) -> StickFile {
        StickFile::make(header, key, "office".try_into().unwrap(), 7, pin)
    }

    #[test]
    fn the_right_pin_opens_and_a_wrong_one_does_not() {
        let (header, key) = server();
        let bytes = stick(&header, &key, b"2580").encode();
        let file = StickFile::parse(&bytes, &header).unwrap();
        assert!(file.info.has_pin());
        assert_eq!(file.open(&header, b"2580").unwrap().expose(), key.expose());
        assert_eq!(
            file.open(&header, b"2581").err(),
            Some(StickError::WrongPin)
        );
        assert_eq!(file.open(&header, b"").err(), Some(StickError::WrongPin));
    }

    #[test]
    fn a_stick_without_a_pin_opens_with_none() {
        let (header, key) = server();
        let file = stick(&header, &key, b"");
        assert!(!file.info.has_pin());
        assert_eq!(file.open(&header, b"").unwrap().expose(), key.expose());
    }

    #[test]
    fn a_stick_of_another_server_says_so() {
        let (header, key) = server();
        let (other, _) = server();
        let bytes = stick(&header, &key, b"").encode();
        assert_eq!(
            StickFile::parse(&bytes, &other),
            Err(StickError::OtherServer)
        );
    }

    #[test]
    fn a_stick_from_before_the_key_was_replaced_says_so() {
        let (mut header, key) = server();
        let old = stick(&header, &key, b"");
        header.generation = 2;
        assert_eq!(
            StickFile::parse(&old.encode(), &header),
            Err(StickError::Old)
        );
        // A file that lies about its generation does not open either.
        let (mut header, _) = server();
        header.server_id = old.info.server_id;
        assert_eq!(old.open(&header, b"").err(), Some(StickError::Old));
    }

    #[test]
    fn a_hostile_stick_cannot_ask_for_all_memory() {
        let (header, key) = server();
        let mut file = stick(&header, &key, b"1");
        file.info.stretch.as_mut().unwrap().params.log_n = 40;
        let file = StickFile::parse(&file.encode(), &header).unwrap();
        assert_eq!(file.open(&header, b"1").err(), Some(StickError::Damaged));
    }

    #[test]
    fn a_changed_label_is_noticed() {
        let (header, key) = server();
        let mut file = stick(&header, &key, b"");
        file.info.label = "other".try_into().unwrap();
        assert_eq!(file.open(&header, b"").err(), Some(StickError::Damaged));
    }

    #[test]
    fn a_label_that_would_write_over_the_screen_is_damage() {
        let (header, key) = server();
        let mut file = stick(&header, &key, b"");
        file.info.label = "a\u{1b}[2J".try_into().unwrap();
        assert_eq!(
            StickFile::parse(&file.encode(), &header),
            Err(StickError::Damaged)
        );
    }

    #[test]
    fn a_stick_file_has_one_size_with_the_longest_texts_too() {
        let (mut header, key) = server();
        header.server_name = "n".repeat(64).as_str().try_into().unwrap();
        let label = "l".repeat(32).as_str().try_into().unwrap();
        let file = StickFile::make(&header, &key, label, u64::MAX, b"1");
        let bytes = file.encode();
        assert_eq!(bytes.len(), 4096);
        assert_eq!(StickFile::parse(&bytes, &header), Ok(file));
    }

    proptest! {
        #[test]
        fn a_bent_byte_is_damage(at in 0usize..600, bit in 0u8..8) {
            let (header, key) = server();
            let file = stick(&header, &key, b"");
            let mut bytes = file.encode();
            bytes[at] ^= 1 << bit;
            match StickFile::parse(&bytes, &header) {
                Err(error) => prop_assert_eq!(error, StickError::Damaged),
                // Behind the payload nothing is read.
                Ok(same) => prop_assert_eq!(same, file),
            }
        }

        #[test]
        fn foreign_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 4096)) {
            let (header, _) = server();
            let _ = StickFile::parse(&bytes, &header);
            bytes[..8].copy_from_slice(MAGIC);
            bytes[12..16].copy_from_slice(&300u32.to_le_bytes());
            let sum = digest(bytes.as_slice().try_into().unwrap(), 300);
            bytes[16..48].copy_from_slice(&sum);
            bytes[8] = VERSION;
            let _ = StickFile::parse(&bytes, &header);
        }
    }
}
