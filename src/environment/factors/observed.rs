//! What has been observed so far: values by their labels.

use heapless::Vec;
use zeroize::Zeroize;

use super::labels::is_server;
use crate::vault::{Label, Value};

/// Observations kept, at most: those of two places.
const MAX_OBSERVED: usize = 64;
/// A factor that keeps changing its answer is listened to this many times:
/// each change costs scrypt. A key server's costs none, and behind one that
/// lies the right one may come to life.
const MAX_CHANGES: u8 = 8;

struct Observation {
    label: Label,
    value: Value,
    /// When it last changed, on the counter of [`Observed`].
    revision: u32,
    changes: u8,
}

/// A key server's value is a secret.
impl Drop for Observation {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// Fills as the answers come in. Each new or changed value gets the next
/// revision, so that a combination is tried again only if a member changed.
#[derive(Default)]
pub struct Observed {
    observations: Vec<Observation, MAX_OBSERVED>,
    revision: u32,
}

impl Observed {
    /// Notes a value; returns whether that is news. An empty value, one too
    /// many, or the ninth change of the same is not.
    pub fn note(&mut self, label: &Label, value: &Value) -> bool {
        if value.is_empty() {
            return false;
        }
        let next = self.revision + 1;
        let known = self
            .observations
            .iter_mut()
            .find(|known| known.label == *label);
        let news = match known {
            Some(known) if known.value == *value || known.changes == MAX_CHANGES => false,
            Some(known) => {
                known.value.clone_from(value);
                known.revision = next;
                known.changes += u8::from(!is_server(label));
                true
            }
            None => self
                .observations
                .push(Observation {
                    label: label.clone(),
                    value: value.clone(),
                    revision: next,
                    changes: 0,
                })
                .is_ok(),
        };
        if news {
            self.revision = next;
        }
        news
    }

    /// Takes in what neighbours or key servers have answered.
    pub fn note_answers(&mut self, answers: &[(Label, Value)]) {
        for (label, value) in answers {
            self.note(label, value);
        }
    }

    /// Takes in everything that `other` holds.
    pub fn note_all(&mut self, other: &Self) {
        for observation in &other.observations {
            self.note(&observation.label, &observation.value);
        }
    }

    /// The newest value of this observation; `None` where nothing has answered.
    pub fn value(&self, label: &str) -> Option<&Value> {
        self.find(label).map(|known| &known.value)
    }

    /// Labels and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&Label, &Value)> {
        self.observations
            .iter()
            .map(|known| (&known.label, &known.value))
    }

    /// When the value last changed: larger than that of every earlier change.
    pub fn revision(&self, label: &str) -> Option<u32> {
        self.find(label).map(|known| known.revision)
    }

    fn find(&self, label: &str) -> Option<&Observation> {
        self.observations.iter().find(|known| known.label == label)
    }
}

/// The bytes of an observation as a factor's value: as they are up to 64
/// bytes, their SHA-256 when longer.
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
    fn a_neighbour_that_keeps_changing_its_answer_is_not_listened_to_for_ever() {
        let mut observed = Observed::default();
        let heard = (0..100u8)
            .filter(|n| observed.note(&label("arp 10.0.0.1"), &value_of(&[*n; 6])))
            .count();
        assert_eq!(heard, 1 + usize::from(MAX_CHANGES));
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
        assert_eq!(observed.revision("a"), Some(1));
    }
}
