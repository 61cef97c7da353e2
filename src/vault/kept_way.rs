//! A way key as the vault keeps it, and the way keys of one stick.

use serde::{Deserialize, Serialize};

use super::header::Header;
use crate::keys::{MasterKey, SealedWayKey, UnsealedWayKey, Way, WayKey, WrappedKey};

/// A way key: what it opens, and the key itself for whoever has the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptWayKey {
    /// The master key of now, under the way key.
    pub wrapped: WrappedKey,
    /// The way key, under the master key of now. It is missing where the vault was made
    /// anew and the way in has not been used since.
    pub sealed: Option<SealedWayKey>,
}

impl KeptWayKey {
    /// Of this way key, for the master key of `header`.
    pub(super) fn of(
        way: &Way,
        header: &Header,
        key: &MasterKey,
        way_key: &UnsealedWayKey,
    ) -> Self {
        Self {
            wrapped: way.wrap(&way_key.key, header.generation, key),
            sealed: Some(way.seal(key, header.generation, way_key)),
        }
    }

    /// Of a copy, which has no seal.
    pub(super) fn unknown(wrapped: WrappedKey) -> Self {
        Self {
            wrapped,
            sealed: None,
        }
    }

    /// The master key, by the way key. Whether it is this server's is checked.
    pub(super) fn open(&self, way: &Way, header: &Header, key: &WayKey) -> Option<MasterKey> {
        let opened = way.master_key(key, header.generation, &self.wrapped).ok()?;
        header.accepts(&opened).then_some(opened)
    }

    /// The way key, by the master key.
    pub(super) fn unseal(
        &self,
        way: &Way,
        header: &Header,
        key: &MasterKey,
    ) -> Option<UnsealedWayKey> {
        way.unseal(key, header.generation, self.sealed.as_ref()?)
            .ok()
    }
}

/// A stick's way in, as the vault has it. While the stick is given a new way key it has
/// two: whichever of them a power cut leaves on the stick, it opens this server, and the
/// next master key is wrapped for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickWay {
    /// The stick's id.
    pub id: [u8; 8],
    /// Of the way key that the stick has.
    pub kept: KeptWayKey,
    /// Of the one that it may have instead, until it was read back.
    pub other: Option<KeptWayKey>,
    /// Generation of the master key that the stick's own file wraps.
    pub file: u32,
}

impl StickWay {
    /// One, or two.
    pub fn all(&self) -> impl Iterator<Item = &KeptWayKey> {
        core::iter::once(&self.kept).chain(&self.other)
    }
}
