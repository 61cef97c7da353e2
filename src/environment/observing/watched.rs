//! The neighbours of a running server, and whether they are still there.

use std::time::Instant;

use heapless::Vec;
use zeroize::Zeroizing;

use super::look_around::{ON_A_LIVE_NETWORK, hear};
use crate::environment::factors::{Observed, address_of};
use crate::environment::matching::enrolled_values;
use crate::environment::tang::KeyServers;
use crate::environment::wire::Neighbours;
use crate::keys::{MasterKey, OpenError};
use crate::sys::interface;
use crate::theft::{Link, Seen};
use crate::vault::{EnvironmentSlot, Group, Header, Label, MAX_FACTORS, Value};

/// Whom to ask, and what they shall answer. The values are what the place
/// slot's secret is made of: this belongs into memory that is locked.
pub struct Watched {
    labels: Vec<Label, MAX_FACTORS>,
    values: Zeroizing<Vec<Value, MAX_FACTORS>>,
    need: u8,
}

/// What was heard of one neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Nothing,
    Another,
    /// However many others answer in its place as well: it is there.
    Itself,
}

impl Watched {
    /// The neighbours of the place that `key` has opened.
    ///
    /// # Errors
    /// [`OpenError`] when the enrolled values do not open.
    pub fn enrolled(
        header: &Header,
        slot: &EnvironmentSlot,
        key: &MasterKey,
    ) -> Result<Self, OpenError> {
        let values = Zeroizing::new(enrolled_values(header, slot, key)?);
        let place = slot.factors.iter().zip(values.iter());
        let place = place.filter(|(factor, _)| factor.group == Group::Place);
        let known = place.map(|(factor, value)| (&factor.label, value));
        Ok(Self::of(known, slot.need.place))
    }

    /// Those of `labels` that answered just now, right or wrong, up to `need`
    /// of which must stay: for a server that was opened in another place.
    pub fn as_found<'a>(
        labels: impl Iterator<Item = &'a Label>,
        need: u8,
        observed: &'a Observed,
    ) -> Self {
        let known = labels.filter_map(|label| Some((label, observed.value(label)?)));
        Self::of(known, need)
    }

    fn of<'a>(known: impl Iterator<Item = (&'a Label, &'a Value)>, need: u8) -> Self {
        let mut labels: Vec<Label, MAX_FACTORS> = Vec::new();
        let mut values: Zeroizing<Vec<Value, MAX_FACTORS>> = Zeroizing::new(Vec::new());
        for (label, value) in known.filter(|(label, _)| address_of(label).is_some()) {
            if labels.contains(label) || labels.is_full() {
                continue;
            }
            let _ = labels.push(label.clone());
            let _ = values.push(value.clone());
        }
        let all = u8::try_from(labels.len()).unwrap_or(u8::MAX);
        Self {
            labels,
            values,
            need: need.min(all),
        }
    }

    /// How many are asked.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// How many must be themselves.
    pub fn need(&self) -> u8 {
        self.need
    }

    /// Asks all of them. A home that is whole answers within milliseconds and
    /// is asked once; otherwise it takes three seconds, and some twenty
    /// packets for each neighbour on each live interface.
    pub fn look(&self) -> Seen {
        let mut heard = self.heard_nothing();
        let mut neighbours = Neighbours::on_live_links(self.labels.iter(), Instant::now());
        let mut servers = KeyServers::default();
        hear(
            &mut neighbours,
            &mut servers,
            ON_A_LIVE_NETWORK,
            |answers| {
                self.note(&mut heard, answers);
                heard.iter().all(|heard| *heard == Heard::Itself)
            },
        );
        self.seen(&heard, link())
    }

    fn heard_nothing(&self) -> Vec<Heard, MAX_FACTORS> {
        self.labels.iter().map(|_| Heard::Nothing).collect()
    }

    fn note(&self, heard: &mut [Heard], answers: &[(Label, Value)]) {
        for (label, value) in answers {
            let Some(at) = self.labels.iter().position(|known| known == label) else {
                continue;
            };
            let now = match self.values[at] == *value {
                true => Heard::Itself,
                false => Heard::Another,
            };
            heard[at] = heard[at].max(now);
        }
    }

    fn seen(&self, heard: &[Heard], link: Link) -> Seen {
        let count = |what| {
            let count = heard.iter().filter(|heard| **heard == what).count();
            u8::try_from(count).unwrap_or(u8::MAX)
        };
        Seen {
            matched: count(Heard::Itself),
            different: count(Heard::Another),
            silent: count(Heard::Nothing),
            need: self.need,
            link,
        }
    }
}

/// What the cables say. An interface that root has put down says nothing.
fn link() -> Link {
    let mut on = interface::wired();
    on.retain(|name| interface::is_up(name) == Ok(true));
    if on.is_empty() {
        Link::Off
    } else if on.iter().any(|name| interface::has_carrier(name)) {
        Link::Up
    } else {
        Link::Lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::enrolment::{Chosen, enrol};
    use crate::vault::Thresholds;

    const MACS: [[u8; 6]; 3] = [
        [0, 13, 185, 1, 1, 1],
        [0, 17, 50, 2, 2, 2],
        [0, 42, 244, 3, 3, 3],
    ];

    fn answer(last: u8, mac: [u8; 6]) -> (Label, Value) {
        let label = format!("arp 192.168.77.{last}")
            .as_str()
            .try_into()
            .unwrap();
        (label, Value::from_slice(&mac).unwrap())
    }

    fn home() -> [(Label, Value); 3] {
        [1, 2, 3].map(|last| answer(last, MACS[usize::from(last) - 1]))
    }

    /// A clinic's place: two of three neighbours, and a part of the machine.
    fn slot() -> (Header, MasterKey, EnvironmentSlot) {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let machine = (
            "smbios-uuid".try_into().unwrap(),
            Value::from_slice(&[7; 16]).unwrap(),
        );
        let group = |group| {
            move |(label, value)| Chosen {
                group,
                label,
                value,
            }
        };
        let chosen: std::vec::Vec<Chosen> = [machine]
            .into_iter()
            .map(group(Group::Machine))
            .chain(home().into_iter().map(group(Group::Place)))
            .collect();
        let need = Thresholds {
            machine: 1,
            place: 2,
            ..Thresholds::default()
        };
        let name = "home".try_into().unwrap();
        let slot = enrol(&header, &key, 0, name, &chosen, need, |_, _| ()).unwrap();
        (header, key, slot)
    }

    fn seen(watched: &Watched, answers: &[(Label, Value)]) -> (u8, u8, u8) {
        let mut heard = watched.heard_nothing();
        watched.note(&mut heard, answers);
        let Seen {
            matched,
            different,
            silent,
            ..
        } = watched.seen(&heard, Link::Up);
        (matched, different, silent)
    }

    #[test]
    fn the_neighbours_of_the_place_are_told_from_others() {
        let (header, key, slot) = slot();
        let watched = Watched::enrolled(&header, &slot, &key).unwrap();
        assert_eq!((watched.count(), watched.need()), (3, 2));
        let strange = [9; 6];
        assert_eq!(seen(&watched, &home()), (3, 0, 0));
        assert_eq!(seen(&watched, &[]), (0, 0, 3));
        assert_eq!(
            seen(&watched, &[answer(1, strange), answer(2, MACS[1])]),
            (1, 1, 1)
        );
        // Somebody who answers in its place does not make it go away.
        let both = [answer(1, MACS[0]), answer(1, strange)];
        assert_eq!(seen(&watched, &both), (1, 0, 2));
        // An address that was not asked, and another's hardware address.
        assert_eq!(
            seen(&watched, &[answer(4, MACS[0]), answer(1, MACS[1])]),
            (0, 1, 2)
        );
    }

    #[test]
    fn only_the_key_tells_what_is_enrolled() {
        let (header, _, slot) = slot();
        let other = MasterKey::generate();
        assert!(Watched::enrolled(&header, &slot, &other).is_err());
    }

    #[test]
    fn a_server_that_a_stick_has_opened_elsewhere_watches_what_it_finds_there() {
        let (.., slot) = slot();
        let mut observed = Observed::default();
        let strange = answer(1, [9; 6]);
        observed.note(&strange.0, &strange.1);
        let labels = || slot.factors.iter().map(|factor| &factor.label);
        let watched = Watched::as_found(labels(), 2, &observed);
        assert_eq!((watched.count(), watched.need()), (1, 1));
        assert_eq!(seen(&watched, &[strange]), (1, 0, 0));
        assert_eq!(seen(&watched, &[answer(1, MACS[0])]), (0, 1, 0));
        let nobody = Watched::as_found(labels(), 2, &Observed::default());
        assert_eq!((nobody.count(), nobody.need()), (0, 0));
    }
}
