//! The values observed so far, by their labels.

use heapless::Vec;
use zeroize::Zeroize;

use crate::vault::{Label, Value, is_key_server};

/// Observations kept, at most: the factors of two places.
const MAX_OBSERVED: usize = 64;
/// How often a factor may change its value. Each change costs scrypt. Key
/// servers have no limit: theirs cost none, and the right server may appear
/// behind one that lies.
const MAX_CHANGES: u8 = 8;

struct Observation {
    label: Label,
    value: Value,
    /// The revision of [`Observed`] at which the value last changed.
    revision: u32,
    changes: u8,
}

/// A key server's value is a secret.
impl Drop for Observation {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// The observed values. Each new or changed value gets the next revision, so
/// that a combination is tried again only when one of its members has changed.
#[derive(Default)]
pub struct Observed {
    observations: Vec<Observation, MAX_OBSERVED>,
    revision: u32,
}

impl Observed {
    /// Stores a value; returns whether it is new. An empty value, a 65th label,
    /// and the ninth change of one label are ignored.
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
                known.changes += u8::from(!is_key_server(label));
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

    /// Stores the answers of neighbours or key servers.
    pub fn note_answers(&mut self, answers: &[(Label, Value)]) {
        for (label, value) in answers {
            self.note(label, value);
        }
    }

    /// Stores all values that `other` holds.
    pub fn note_all(&mut self, other: &Self) {
        for observation in &other.observations {
            self.note(&observation.label, &observation.value);
        }
    }

    /// The newest value of this factor; `None` while nothing has answered.
    pub fn value(&self, label: &str) -> Option<&Value> {
        self.find(label).map(|known| &known.value)
    }

    /// Labels and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&Label, &Value)> {
        self.observations
            .iter()
            .map(|known| (&known.label, &known.value))
    }

    /// The revision at which the value last changed; later changes have larger
    /// ones.
    pub fn revision(&self, label: &str) -> Option<u32> {
        self.find(label).map(|known| known.revision)
    }

    fn find(&self, label: &str) -> Option<&Observation> {
        self.observations.iter().find(|known| known.label == label)
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
    fn a_neighbour_may_change_its_answer_eight_times() {
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
