//! The values observed so far, by their labels.

use zeroize::Zeroize;

use super::attachment::Attachment;
use super::labels::address_of;
use crate::sys::interface::InterfaceName;
use crate::vault::{Label, MAX_FACTORS, MAX_PLACES, Value, is_key_server};

/// Parts of the machine that are kept, at most: a case full of disks.
const MAX_PARTS: usize = 256;
/// Neighbours and key servers that are kept, at most: the factors of all places.
/// Parts have no share in it.
const MAX_STATIONS: usize = MAX_FACTORS * MAX_PLACES;
/// Values of one factor that are kept, at most: each one costs scrypt. Key servers
/// have no limit: theirs cost none, and the right server may appear behind one that
/// lies.
const MAX_VALUES: usize = 9;

/// A value of a factor.
struct Heard {
    value: Value,
    /// The revision of [`Observed`] at which it was first heard.
    revision: u32,
}

/// A key server's value is a secret.
impl Drop for Heard {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

struct Observation {
    label: Label,
    /// Different ones, in the order in which they were first heard: two stations may
    /// answer at one address. Of a key server the newest one only, which has room
    /// here without being moved.
    heard: Vec<Heard>,
    attachment: Attachment,
    /// The interfaces that a station was heard on.
    interfaces: Vec<InterfaceName>,
}

/// The observed values. Each new value gets the next revision, so that a combination
/// is tried again only when one of its members has a new one.
#[derive(Default)]
pub struct Observed {
    observations: Vec<Observation>,
    revision: u32,
    /// Neighbours to which no question was sent: their silence says nothing.
    not_asked: Vec<Label>,
}

impl Observed {
    /// Stores a value; returns whether it is new. An empty value is ignored, as are
    /// more parts, stations and values of one factor than there is room for.
    pub fn note(&mut self, label: &Label, value: &Value) -> bool {
        if value.is_empty() || !self.has_room_for(label) {
            return false;
        }
        let revision = self.revision + 1;
        let heard = &mut self.entry(label).heard;
        if heard.iter().any(|heard| heard.value == *value) {
            return false;
        }
        if is_key_server(label) {
            heard.clear();
        }
        if heard.len() == MAX_VALUES {
            return false;
        }
        let value = value.clone();
        heard.push(Heard { value, revision });
        self.revision = revision;
        true
    }

    /// Stores how a part or a station is attached to this machine.
    pub fn note_attachment(&mut self, label: &Label, attachment: Attachment) {
        if self.has_room_for(label) {
            self.entry(label).attachment = attachment;
        }
    }

    /// Stores an interface that a station was heard on.
    pub fn note_interface(&mut self, label: &Label, name: &InterfaceName) {
        if self.has_room_for(label) {
            let interfaces = &mut self.entry(label).interfaces;
            if !interfaces.contains(name) {
                interfaces.push(name.clone());
            }
        }
    }

    /// Notes that no question was sent to these neighbours: no card that is up has a
    /// carrier, or sending was not allowed.
    pub fn note_not_asked(&mut self, labels: impl Iterator<Item = Label>) {
        self.not_asked.extend(labels);
    }

    /// The neighbours to which no question was sent.
    pub fn not_asked(&self) -> &[Label] {
        &self.not_asked
    }

    /// Stores the answers of neighbours or key servers.
    pub fn note_answers(&mut self, answers: &[(Label, Value)]) {
        for (label, value) in answers {
            self.note(label, value);
        }
    }

    /// Stores all that `other` holds.
    pub fn note_all(&mut self, other: &Self) {
        for Observation {
            label,
            attachment,
            interfaces,
            ..
        } in &other.observations
        {
            for value in other.values(label) {
                self.note(label, value);
            }
            self.note_attachment(label, *attachment);
            for name in interfaces {
                self.note_interface(label, name);
            }
        }
    }

    /// The newest value of this factor; `None` while nothing has answered.
    pub fn value(&self, label: &str) -> Option<&Value> {
        self.values(label).next_back()
    }

    /// The different values of this factor, in the order in which they were first
    /// heard.
    pub fn values(&self, label: &str) -> impl DoubleEndedIterator<Item = &Value> + Clone {
        self.values_and_revisions(label).map(|(value, _)| value)
    }

    /// As [`Observed::values`], each with the revision at which it was first heard.
    pub fn values_and_revisions(
        &self,
        label: &str,
    ) -> impl DoubleEndedIterator<Item = (&Value, u32)> + Clone {
        let heard = self.find(label).map(|known| &known.heard);
        let heard = heard.into_iter().flatten();
        heard.map(|heard| (&heard.value, heard.revision))
    }

    /// How this part or station is attached to this machine.
    pub fn attachment(&self, label: &str) -> Attachment {
        let known = self.find(label);
        known.map_or_else(Attachment::default, |known| known.attachment)
    }

    /// The interfaces that this station was heard on.
    pub fn interfaces(&self, label: &str) -> &[InterfaceName] {
        self.find(label).map_or(&[], |known| &known.interfaces)
    }

    /// Labels with each of their values, in the order in which the labels came.
    pub fn iter(&self) -> impl Iterator<Item = (&Label, &Value)> {
        let labels = self.observations.iter().map(|known| &known.label);
        labels.flat_map(|label| self.values(label).map(move |value| (label, value)))
    }

    fn find(&self, label: &str) -> Option<&Observation> {
        let mut known = self.observations.iter();
        known.find(|known| known.label == label)
    }

    fn has_room_for(&self, label: &Label) -> bool {
        let is_station = |label: &Label| address_of(label).is_some() || is_key_server(label);
        let kind = is_station(label);
        let room = if kind { MAX_STATIONS } else { MAX_PARTS };
        let labels = || self.observations.iter().map(|known| &known.label);
        labels().any(|known| known == label)
            || labels().filter(|known| is_station(known) == kind).count() < room
    }

    fn entry(&mut self, label: &Label) -> &mut Observation {
        let mut known = self.observations.iter();
        let at = known.position(|known| known.label == *label);
        let at = at.unwrap_or_else(|| {
            self.observations.push(Observation {
                label: label.clone(),
                heard: Vec::new(),
                attachment: Attachment::default(),
                interfaces: Vec::new(),
            });
            self.observations.len() - 1
        });
        &mut self.observations[at]
    }
}

/// A factor's value: the bytes themselves up to 64 bytes, their SHA-256 where
/// there are more.
pub fn value_of(bytes: &[u8]) -> Value {
    use sha2::{Digest, Sha256};
    Value::from_slice(bytes).unwrap_or_else(|_| Sha256::digest(bytes).iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        text.try_into().unwrap()
    }

    #[test]
    fn a_neighbour_may_give_nine_different_answers() {
        let mut observed = Observed::default();
        let heard = (0..100u8)
            .filter(|n| observed.note(&label("arp 10.0.0.1"), &value_of(&[*n; 6])))
            .count();
        assert_eq!(heard, MAX_VALUES);
    }

    #[test]
    fn two_stations_at_one_address_stay_two_values() {
        let mut observed = Observed::default();
        let label = label("arp 10.0.0.1");
        for _ in 0..100 {
            for station in [b"real", b"alsa"] {
                observed.note(&label, &value_of(station));
            }
        }
        let heard = observed.values_and_revisions(&label);
        let heard: Vec<(&[u8], u32)> = heard.map(|(value, at)| (&value[..], at)).collect();
        assert_eq!(heard, [(&b"real"[..], 1), (&b"alsa"[..], 2)]);
    }

    #[test]
    fn a_case_full_of_disks_leaves_room_for_the_neighbours() {
        let mut observed = Observed::default();
        for n in 0..1000 {
            observed.note(&label(&format!("disk {n}")), &value_of(b"serial"));
        }
        let neighbours = (0..=255).map(|n| label(&format!("arp 10.0.0.{n}")));
        let heard = neighbours.filter(|label| observed.note(label, &value_of(b"mac")));
        assert_eq!(heard.count(), MAX_STATIONS);
    }

    #[test]
    fn behind_a_key_server_that_lies_the_right_one_is_still_heard() {
        let mut observed = Observed::default();
        let label = label("tang 10.0.0.5:80");
        let heard = (0..100u8).filter(|n| observed.note(&label, &value_of(&[*n; 32])));
        assert_eq!(heard.count(), 100);
    }

    #[test]
    fn the_same_answer_again_is_no_news() {
        let mut observed = Observed::default();
        assert!(observed.note(&label("a"), &value_of(b"1")));
        assert!(!observed.note(&label("a"), &value_of(b"1")));
        assert!(!observed.note(&label("b"), &value_of(b"")));
        assert_eq!(observed.revision, 1);
    }
}
