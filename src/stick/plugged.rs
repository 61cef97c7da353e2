//! This server's keys on the sticks that are plugged in: what a reset destroys
//! and what it must leave.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[cfg(feature = "admin")]
use serde::{Deserialize, Serialize};

use super::hearing::{ANSWERS_WITHIN, Wiping};
use super::{NotWiped, Stick, StickInfo};
use crate::sys::child::wait_for;
use crate::theft::WayBack;
use crate::vault::{Header, KnownStick, StickList};

/// Volumes of plugged sticks that hold this server's key.
///
/// A stick that does not answer is not among them. It is not wiped either, so
/// that what it may hold goes on to open the server: nobody keeps a reset from
/// being done by plugging in a stick that hangs, and no last way in is destroyed.
#[derive(Default)]
#[cfg_attr(feature = "admin", derive(Serialize, Deserialize))]
pub struct PluggedKeys {
    pub(super) keys: Vec<(PathBuf, StickInfo)>,
    pub(super) silent: Vec<PathBuf>,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "admin", derive(Serialize, Deserialize))]
pub struct Wiped {
    /// Volumes whose key file was destroyed.
    pub wiped: u8,
    /// Could not be wiped, or must not be.
    pub left: u8,
    /// Devices that were to be wiped and were not: they take no writes, or do not
    /// answer, another stick sits there, or the vault's disk could not note the reset. Some of these may hold no key of this server.
    pub unwiped: Vec<PathBuf>,
    /// Of these the ones where another stick sits by now, or none of this server: nothing
    /// was changed on it.
    pub swapped: Vec<PathBuf>,
}

impl PluggedKeys {
    /// One more that was found.
    pub fn add(&mut self, volume: &Path, info: &StickInfo) {
        self.keys.push((volume.to_path_buf(), info.clone()));
    }

    /// A stick that does not answer.
    pub fn add_silent(&mut self, stick: &Stick) {
        self.silent.push(Path::new("/dev").join(&*stick.disk));
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

    /// The volumes, and what the key on each says of itself.
    #[cfg(feature = "admin")]
    pub fn found(&self) -> impl Iterator<Item = (&PathBuf, &StickInfo)> {
        self.keys.iter().map(|(volume, info)| (volume, info))
    }

    /// Disks that do not answer.
    pub fn silent(&self) -> &[PathBuf] {
        &self.silent
    }

    /// Destroys the keys on all of them, and says nothing. A stick is known by the id in
    /// its key file, not by where it sits: whatever sits there by now is left alone.
    /// Returns after
    /// [`ANSWERS_WITHIN`] at the latest. A child that has not ended by then goes
    /// on, as far as its stick does.
    pub fn wipe(&self) -> Wiped {
        let begin = |(volume, info): &(PathBuf, StickInfo)| {
            (Wiping::begin(volume, info).ok(), volume.clone())
        };
        let mut wiping: Vec<_> = self.keys.iter().map(begin).collect();
        let until = Instant::now() + ANSWERS_WITHIN;
        let mut wiped: u8 = 0;
        let mut unwiped = self.silent.clone();
        let mut swapped = Vec::new();
        loop {
            wiping.retain_mut(|(wiping, volume)| {
                match wiping.as_mut().and_then(Wiping::go_on) {
                    None => return true,
                    Some(Ok(())) => wiped = wiped.saturating_add(1),
                    Some(Err(NotWiped::AnotherStick)) => swapped.push(volume.clone()),
                    Some(Err(NotWiped::Failed(_))) => unwiped.push(volume.clone()),
                }
                false
            });
            let waiting = wiping.iter().filter_map(|(wiping, _)| wiping.as_ref());
            if !wait_for(waiting.map(Wiping::as_fd), until) {
                break;
            }
        }
        unwiped.extend(wiping.into_iter().map(|(_, volume)| volume));
        unwiped.extend(swapped.iter().cloned());
        Wiped {
            wiped,
            left: self.count().saturating_sub(wiped),
            unwiped,
            swapped,
        }
    }

    /// Leaves them as they are: they may be the last way in.
    pub fn leave(&self) -> Wiped {
        Wiped {
            left: self.count(),
            ..Wiped::default()
        }
    }

    /// Leaves them as they are, though they were to be wiped.
    pub fn leave_unwiped(&self) -> Wiped {
        let unwiped = self.volumes().chain(&self.silent);
        Wiped {
            unwiped: unwiped.cloned().collect(),
            ..self.leave()
        }
    }

    fn count(&self) -> u8 {
        self.keys.len().try_into().unwrap_or(u8::MAX)
    }
}
