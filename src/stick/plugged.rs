//! This server's keys on the sticks that are plugged in: what a reset destroys
//! and what it must leave.

use std::path::PathBuf;

use super::{StickInfo, plugged_in, volume};
use crate::theft::WayBack;
use crate::vault::{Header, KnownStick, StickList};
#[cfg(feature = "admin")]
use crate::vault::{Vault, locate::VaultDisk};

/// Volumes of plugged sticks that hold this server's key.
#[derive(Default)]
pub struct PluggedKeys {
    keys: Vec<(PathBuf, StickInfo)>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wiped {
    /// Volumes whose key file was destroyed.
    pub wiped: u8,
    /// Could not be wiped, or must not be.
    pub left: u8,
}

impl PluggedKeys {
    /// Looks at every stick but `own_disk`, which holds the vault.
    #[inline(never)]
    pub fn find(header: &Header, own_disk: Option<&str>) -> Self {
        let volumes = plugged_in()
            .into_iter()
            .filter(|stick| Some(stick.disk.as_str()) != own_disk)
            .flat_map(|stick| stick.volumes);
        let keys = volumes.filter_map(|volume| {
            let file = volume::read(&volume, header).ok()?;
            Some((volume, file.info))
        });
        Self {
            keys: keys.collect(),
        }
    }

    /// Looks at every stick but the disk that this vault is on.
    #[cfg(feature = "admin")]
    pub fn beside(vault: &Vault<VaultDisk>) -> Self {
        Self::find(vault.header(), Some(vault.disk()))
    }

    /// Whether the owner gets in when all of these are lost.
    pub fn way_back(&self, header: &Header, sticks: &StickList) -> WayBack {
        sticks.way_back(header.generation, &self.ids())
    }

    /// Whether this stick then opens the server.
    pub fn leave_a_way_in(&self, header: &Header, stick: &KnownStick) -> bool {
        stick.opens_without(header.generation, &self.ids())
    }

    /// Of these the ones on one stick.
    pub fn only(mut self, stick_id: &[u8; 8]) -> Self {
        self.keys.retain(|(_, info)| info.stick_id == *stick_id);
        self
    }

    /// Ids of the sticks.
    pub fn ids(&self) -> Vec<[u8; 8]> {
        self.keys.iter().map(|(_, info)| info.stick_id).collect()
    }

    /// Names of the volumes.
    pub fn volumes(&self) -> impl Iterator<Item = &PathBuf> {
        self.keys.iter().map(|(volume, _)| volume)
    }

    /// Destroys the keys on all of them.
    pub fn wipe(&self) -> Wiped {
        let mut result = Wiped::default();
        for (volume, info) in &self.keys {
            match volume::wipe(volume, &info.server_id) {
                Ok(()) => result.wiped = result.wiped.saturating_add(1),
                Err(error) => {
                    log::error!("{} was not wiped: {error}", volume.display());
                    result.left = result.left.saturating_add(1);
                }
            }
        }
        result
    }

    /// Leaves them as they are: they may be the last way in.
    pub fn leave(&self) -> Wiped {
        Wiped {
            wiped: 0,
            left: self.keys.len().try_into().unwrap_or(u8::MAX),
        }
    }
}
