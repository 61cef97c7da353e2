//! Asks whether the neighbours of a running server are still there, or its key servers
//! where the place needs no neighbour.

use core::cell::Cell;
use std::time::Instant;

use heapless::Vec;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::observe_place::{LIVE_NETWORK_WAIT, collect_answers};
use crate::environment::factors::{Observed, address_of, is_asked, is_unknown_key, server_label};
use crate::environment::tang::KeyServers;
use crate::environment::wire::{Cards, Neighbours};
use crate::keys::{MasterKey, UnsealError};
use crate::sys::interface;
use crate::theft::{Cables, Sample};
use crate::vault::{
    EnvironmentSlot, Group, Header, KeyServer, Label, MAX_FACTORS, MAX_SERVERS, Value,
};

/// Who is watched at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// The stations on the same wire, with the key servers that count as such.
    #[default]
    Neighbours,
    /// The key servers, at a place that needs no neighbour.
    KeyServers,
}

impl Watched {
    /// Who is watched at this place; `None` where it needs nobody who could be asked.
    pub fn at(slot: &EnvironmentSlot) -> Option<Self> {
        let watched = match slot.need.neighbours {
            0 => Self::KeyServers,
            _ => Self::Neighbours,
        };
        let group = watched.group();
        let mut factors = slot.factors.iter();
        let has_some = factors.any(|factor| factor.group == group && is_asked(&factor.label));
        (slot.need.of(group) > 0 && has_some).then_some(watched)
    }

    fn group(self) -> Group {
        match self {
            Self::Neighbours => Group::Neighbours,
            Self::KeyServers => Group::Servers,
        }
    }
}

/// Whom to ask, and their right values. The values are secret, because the place's
/// slot is wrapped under them: keep this in locked memory.
pub struct WatchedPlace {
    /// Who they are.
    pub who: Watched,
    labels: Vec<Label, MAX_FACTORS>,
    values: Zeroizing<Vec<Value, MAX_FACTORS>>,
    servers: Vec<(Label, KeyServer), MAX_SERVERS>,
    need: u8,
    /// When a probe was sent last.
    last_probe: Cell<Option<Instant>>,
}

/// What answered at one address; the most favourable answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// Nothing yet.
    Nothing,
    /// Another one, and not who is asked.
    Another,
    /// Who is asked, however many others answer as well.
    Itself,
}

impl WatchedPlace {
    /// Those that are enrolled at the place that has opened the vault.
    ///
    /// # Errors
    /// [`UnsealError`] when the enrolled values do not open.
    pub fn enrolled(
        header: &Header,
        slot: &EnvironmentSlot,
        key: &MasterKey,
    ) -> Result<Self, UnsealError> {
        let values = Zeroizing::new(slot.enrolled_values(header, key)?);
        let who = Watched::at(slot).unwrap_or(Watched::Neighbours);
        let place = slot.factors.iter().zip(values.iter());
        let place = place.filter(|(factor, _)| factor.group == who.group());
        let known = place.map(|(factor, value)| (&factor.label, value));
        let mut watched = Self::of(who, known, slot.need.of(who.group()));
        let servers = slot.servers.iter();
        let servers = servers.map(|server| (server_label(server.address, &slot.name), server));
        for (label, server) in servers.filter(|(label, _)| watched.labels.contains(label)) {
            // There is room for the servers of a place.
            let _ = watched.servers.push((label, server.clone()));
        }
        Ok(watched)
    }

    /// The neighbours among `labels` that have answered now, with the values
    /// that they have now: for a server that was opened in another place.
    /// `need` of them must stay, or all where there are fewer.
    pub fn as_found<'a>(
        labels: impl Iterator<Item = &'a Label>,
        need: u8,
        observed: &'a Observed,
    ) -> Self {
        // A key server that is not the enrolled one answers differently each time.
        let neighbours = labels.filter(|label| address_of(label).is_some());
        let known = neighbours.filter_map(|label| Some((label, observed.value(label)?)));
        Self::of(Watched::Neighbours, known, need)
    }

    fn of<'a>(who: Watched, known: impl Iterator<Item = (&'a Label, &'a Value)>, need: u8) -> Self {
        let mut labels: Vec<Label, MAX_FACTORS> = Vec::new();
        let mut values: Zeroizing<Vec<Value, MAX_FACTORS>> = Zeroizing::new(Vec::new());
        for (label, value) in known.filter(|(label, _)| is_asked(label)) {
            if labels.contains(label) || labels.is_full() {
                continue;
            }
            let _ = labels.push(label.clone());
            let _ = values.push(value.clone());
        }
        let all = u8::try_from(labels.len()).unwrap_or(u8::MAX);
        Self {
            who,
            labels,
            values,
            servers: Vec::new(),
            need: need.min(all),
            last_probe: Cell::new(None),
        }
    }

    /// How many are asked.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// How many of them must answer with their right value.
    pub fn need(&self) -> u8 {
        self.need
    }

    /// Asks all of them. When all answer this takes milliseconds and one packet
    /// for each neighbour on each live interface; otherwise three seconds and
    /// some twenty packets each. A key server gets one request, whatever becomes of it.
    pub fn sample(&self) -> Sample {
        let mut heard = self.heard_nothing();
        let neighbours = Neighbours::new(self.labels.iter(), Cards::LeftDown, Instant::now());
        let mut neighbours = neighbours.probed_before(self.last_probe.get());
        let mut servers = KeyServers::asked_once(&self.servers, Instant::now());
        collect_answers(
            &mut neighbours,
            &mut servers,
            LIVE_NETWORK_WAIT,
            |answers| {
                self.note(&mut heard, answers);
                heard.iter().all(|heard| *heard == Answer::Itself)
            },
        );
        self.last_probe.set(neighbours.last_probe());
        self.count_answers(&heard, cables())
    }

    fn heard_nothing(&self) -> Vec<Answer, MAX_FACTORS> {
        self.labels.iter().map(|_| Answer::Nothing).collect()
    }

    fn note(&self, heard: &mut [Answer], answers: &[(Label, Value)]) {
        for (label, value) in answers {
            let Some(at) = self.labels.iter().position(|known| known == label) else {
                continue;
            };
            // Keys that were deleted, or a proxy, must not look like a theft where key
            // servers alone bind the server to its place.
            if self.who == Watched::KeyServers && is_unknown_key(value) {
                continue;
            }
            // It may have another neighbour's address by now.
            let itself = self.values.iter().position(|known| known == value);
            let (at, now) = match itself {
                Some(itself) => (itself, Answer::Itself),
                None => (at, Answer::Another),
            };
            heard[at] = heard[at].max(now);
        }
    }

    fn count_answers(&self, heard: &[Answer], cables: Cables) -> Sample {
        let count = |what| {
            let count = heard.iter().filter(|heard| **heard == what).count();
            u8::try_from(count).unwrap_or(u8::MAX)
        };
        Sample {
            matched: count(Answer::Itself),
            different: count(Answer::Another),
            silent: count(Answer::Nothing),
            need: self.need,
            cables,
        }
    }
}

/// The state of the network cables. An interface that root has put down says
/// nothing.
fn cables() -> Cables {
    let mut on = interface::wired();
    on.retain(|name| interface::is_up(name) == Ok(true));
    if on.is_empty() {
        Cables::Off
    } else if on.iter().any(|name| interface::has_carrier(name)) {
        Cables::Up
    } else {
        Cables::Lost
    }
}

#[cfg(test)]
mod tests;
