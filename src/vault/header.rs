//! The header, the vault's first record: the server's id and name, and which
//! pepper is in use.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::layout::Area;
use crate::keys::{CheckValue, EarlierKeys, Keyring, MasterKey, UnsealError, random_bytes};

/// The id of a server, for its whole life: 16 random bytes, written as 32 hex
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerId(pub [u8; 16]);

impl ServerId {
    /// A new id.
    pub fn random() -> Self {
        Self(random_bytes())
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAServerId;

impl FromStr for ServerId {
    type Err = NotAServerId;

    fn from_str(text: &str) -> Result<Self, NotAServerId> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(NotAServerId);
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotAServerId),
        };
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(id))
    }
}

/// The name of a server: at most 64 bytes, no control characters.
pub type ServerName = heapless::String<64>;

/// Whose vault it is, and which of the server's master keys opens it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The server's id.
    pub server_id: ServerId,
    /// The server's name.
    pub server_name: ServerName,
    /// Number of the master key, from 1.
    pub generation: u32,
    /// The master keys before it.
    pub earlier: EarlierKeys,
}

/// The stored form of [`Area`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum StoredArea {
    First,
    Second,
}

/// Which pepper is in use, and whether the destruction of the previous one is
/// finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PepperInUse {
    area: StoredArea,
    /// SHA-256 of the pepper in use, to check that it was merged rightly.
    pub digest: [u8; 32],
    /// Whether the other area may still hold the previous pepper.
    pub spare_to_destroy: bool,
}

impl PepperInUse {
    /// The value for the header.
    pub fn new(area: Area, digest: [u8; 32], spare_to_destroy: bool) -> Self {
        let area = match area {
            Area::First => StoredArea::First,
            Area::Second => StoredArea::Second,
        };
        Self {
            area,
            digest,
            spare_to_destroy,
        }
    }

    /// The area whose pepper and slots are in use.
    pub fn area(&self) -> Area {
        match self.area {
            StoredArea::First => Area::First,
            StoredArea::Second => Area::Second,
        }
    }
}

/// The header. It is neither secret nor authenticated: changing it opens
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The server's id.
    pub server_id: ServerId,
    /// The server's name.
    pub server_name: ServerName,
    /// Number of the master key, from 1; each new master key of the server gets
    /// the next.
    pub generation: u32,
    /// Recognises the right master key; see [`Header::accepts`].
    pub check: CheckValue,
    /// Which pepper is in use.
    pub pepper: PepperInUse,
    /// The earlier master keys, sealed under the one of now. They stand here, so that
    /// whoever opens this server has the keys of its database, whatever became of other
    /// records.
    pub earlier: EarlierKeys,
    /// Whether the records of this generation are to be taken from the journal still:
    /// see [`super::journal`].
    pub journal_to_apply: bool,
}

/// The context of the check value.
fn check_context(server_id: &ServerId, generation: u32) -> [u8; 20] {
    let mut context = [0; 20];
    context[..16].copy_from_slice(&server_id.0);
    context[16..].copy_from_slice(&generation.to_le_bytes());
    context
}

const CHECK: &str = "stayput master key check v1";

impl Header {
    /// The header of a new vault, without the vault.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn of_a_new_server(key: &MasterKey) -> Self {
        let server_id = ServerId::random();
        Self {
            server_id,
            server_name: "clinic".try_into().unwrap(),
            generation: 1,
            check: Self::check_value(key, &server_id, 1),
            pepper: PepperInUse::new(Area::First, [0; 32], false),
            earlier: EarlierKeys::default(),
            journal_to_apply: false,
        }
    }

    /// All master keys of this server, from the one of now.
    ///
    /// # Errors
    /// [`UnsealError`] when `key` is another one, or somebody has changed the header.
    pub fn keyring(&self, key: &MasterKey) -> Result<Keyring, UnsealError> {
        match self.accepts(key) {
            true => self.earlier.open(&self.server_id.0, self.generation, key),
            false => Err(UnsealError),
        }
    }

    /// The check value of a master key, for this server and generation.
    pub fn check_value(key: &MasterKey, server_id: &ServerId, generation: u32) -> CheckValue {
        CheckValue::of(&key.derive(CHECK), &check_context(server_id, generation))
    }

    /// Whether `key` is this server's master key of this generation. Every way
    /// in is checked with this before anything is released.
    pub fn accepts(&self, key: &MasterKey) -> bool {
        let context = check_context(&self.server_id, self.generation);
        self.check.matches(&key.derive(CHECK), &context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_id_survives_writing_and_reading() {
        let id = ServerId::random();
        let mut text = heapless::String::<32>::new();
        core::fmt::write(&mut text, format_args!("{id}")).unwrap();
        assert_eq!(text.parse(), Ok(id));
        for wrong in [
            "",
            "12",
            "zz112233445566778899aabbccddeeff",
            "00112233445566778899AABBCCDDEEFF",
        ] {
            assert_eq!(wrong.parse::<ServerId>(), Err(NotAServerId), "{wrong}");
        }
    }
}
