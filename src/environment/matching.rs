//! Recognising a place: which permitted combination to try next, and, once
//! the vault is open, what has changed since enrolment.

use heapless::Vec;
use zeroize::Zeroizing;

use super::observed::Observed;
use super::tang::is_server;
use crate::keys::{MasterKey, OpenError, ScryptParams, Secret32, open};
use crate::vault::{
    Answered, EnvironmentSlot, FORMAT_VERSION, Header, Label, MAX_FACTORS, MAX_ROWS, Row,
    SealedValues, Value,
};

pub(super) const ROW_LABEL: &str = "stayput environment row v1";
const STRONG_LABEL: &[u8] = b"stayput strong row v1";
const VALUES_LABEL: &str = "stayput enrolled values v1";

/// What a row's wrap is bound to: nothing in it changes by itself.
pub(super) fn row_associated(header: &Header, slot_id: u32, members: u32) -> [u8; 29] {
    let mut data = [0; 29];
    data[0] = FORMAT_VERSION;
    data[1..17].copy_from_slice(&header.server_id.0);
    data[17..21].copy_from_slice(&header.generation.to_le_bytes());
    data[21..25].copy_from_slice(&slot_id.to_le_bytes());
    data[25..].copy_from_slice(&members.to_le_bytes());
    data
}

pub(super) fn has_member(members: u32, factor: usize) -> bool {
    members & (1 << factor) != 0
}

/// The secret of a combination: labels and values of its members, each with
/// its length, in the slot's order. A combination that holds a key server has
/// a value in it that nobody can guess; all others go through scrypt.
pub(super) fn row_secret(
    labels_and_values: &[(&Label, &Value)],
    salt: &[u8; 32],
) -> Result<Secret32, OpenError> {
    let mut bytes: Zeroizing<Vec<u8, { MAX_FACTORS * 130 }>> = Zeroizing::new(Vec::new());
    for (label, value) in labels_and_values {
        for part in [label.as_bytes(), value.as_slice()] {
            let fits =
                bytes.push(part.len() as u8).is_ok() && bytes.extend_from_slice(part).is_ok();
            if !fits {
                return Err(OpenError);
            }
        }
    }
    if labels_and_values.iter().any(|(label, _)| is_server(label)) {
        return Ok(Secret32::derive_from(&bytes, salt, STRONG_LABEL));
    }
    ScryptParams::FACTORS
        .stretch(&bytes, salt)
        .map_err(|_| OpenError)
}

/// Tries the combinations of one place, as the answers come in. It remembers
/// what was tried; the slot is the same at every call.
pub struct Matcher {
    /// For each row the newest revision among its members when it was tried.
    tried: Vec<u32, MAX_ROWS>,
}

impl Matcher {
    /// For a place of which nothing was tried yet.
    pub fn new(slot: &EnvironmentSlot) -> Self {
        Self {
            tried: slot.rows.iter().map(|_| 0).collect(),
        }
    }

    /// The next combination whose members have all answered and that was not
    /// tried with these answers.
    fn next_row(&self, slot: &EnvironmentSlot, observed: &Observed) -> Option<(usize, u32)> {
        let revisions: Vec<Option<u32>, MAX_FACTORS> = slot
            .factors
            .iter()
            .map(|factor| observed.revision(&factor.label))
            .collect();
        let newest = |row: &Row| {
            revisions
                .iter()
                .enumerate()
                .filter(|(factor, _)| has_member(row.members, *factor))
                .try_fold(0, |newest, (_, revision)| {
                    revision.map(|revision| newest.max(revision))
                })
        };
        slot.rows.iter().enumerate().find_map(|(at, row)| {
            let newest = newest(row)?;
            (newest > *self.tried.get(at)?).then_some((at, newest))
        })
    }

    /// Whether [`Matcher::try_next`] has something to try.
    pub fn has_next(&self, slot: &EnvironmentSlot, observed: &Observed) -> bool {
        self.next_row(slot, observed).is_some()
    }

    /// Tries one combination, at the cost of one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is in it. `None`: it was not the one,
    /// or there is none to try.
    pub fn try_next(
        &mut self,
        header: &Header,
        slot: &EnvironmentSlot,
        observed: &Observed,
    ) -> Option<MasterKey> {
        let (at, revision) = self.next_row(slot, observed)?;
        self.tried[at] = revision;
        let row = &slot.rows[at];
        let members = members(slot, row.members, observed);
        let secret = row_secret(&members, &row.salt).ok()?;
        let associated = row_associated(header, slot.id, row.members);
        let key = row.wrapped.unwrap(&secret, ROW_LABEL, &associated).ok()?;
        header.accepts(&key).then_some(key)
    }
}

/// How many factors have answered, right or wrong.
pub fn answered(slot: &EnvironmentSlot, observed: &Observed) -> Answered {
    count(slot, |label| observed.value(label).is_some())
}

/// Whether enough factors of each group have answered for a combination.
pub fn enough_answered(slot: &EnvironmentSlot, observed: &Observed) -> bool {
    answered(slot, observed).reach(slot.need)
}

fn members<'a>(
    slot: &'a EnvironmentSlot,
    members: u32,
    observed: &'a Observed,
) -> Vec<(&'a Label, &'a Value), MAX_FACTORS> {
    slot.factors
        .iter()
        .enumerate()
        .filter(|(factor, _)| has_member(members, *factor))
        .filter_map(|(_, factor)| Some((&factor.label, observed.value(&factor.label)?)))
        .collect()
}

fn count(slot: &EnvironmentSlot, counts: impl Fn(&Label) -> bool) -> Answered {
    let factors = slot.factors.iter();
    factors
        .map(|factor| (factor.group, counts(&factor.label)))
        .collect()
}

/// What is as it was enrolled and what is not.
pub struct Comparison {
    /// How many factors of each group are as they were enrolled.
    pub same: Answered,
    /// Answered with another value than the enrolled one.
    pub changed: Vec<Label, MAX_FACTORS>,
    /// Did not answer (yet).
    pub silent: Vec<Label, MAX_FACTORS>,
}

pub(super) fn values_associated(header: &Header, slot_id: u32) -> [u8; 29] {
    row_associated(header, slot_id, 0)
}

pub(super) fn seal_values(
    header: &Header,
    slot_id: u32,
    key: &MasterKey,
    values: &Vec<Value, MAX_FACTORS>,
) -> SealedValues {
    let mut bytes = Vec::new();
    let _ = bytes.resize(bytes.capacity(), 0);
    let length = postcard::to_slice(values, &mut bytes)
        .expect("the most values of the greatest length fit")
        .len();
    bytes.truncate(length);
    let sealed = crate::keys::seal(
        &key.derive(VALUES_LABEL),
        VALUES_LABEL,
        &values_associated(header, slot_id),
        &mut bytes,
    );
    SealedValues { sealed, bytes }
}

/// The values as enrolled, in the order of the slot's factors; only the master
/// key opens them.
///
/// # Errors
/// [`OpenError`] when they do not open or are not as many as the factors.
pub fn enrolled_values(
    header: &Header,
    slot: &EnvironmentSlot,
    key: &MasterKey,
) -> Result<Vec<Value, MAX_FACTORS>, OpenError> {
    let mut bytes = Zeroizing::new(slot.enrolled.bytes.clone());
    open(
        &key.derive(VALUES_LABEL),
        VALUES_LABEL,
        &values_associated(header, slot.id),
        &slot.enrolled.sealed,
        &mut bytes,
    )?;
    let values: Vec<Value, MAX_FACTORS> = postcard::from_bytes(&bytes).map_err(|_| OpenError)?;
    if values.len() != slot.factors.len() {
        return Err(OpenError);
    }
    Ok(values)
}

/// Compares with the values as enrolled.
///
/// # Errors
/// As [`enrolled_values`].
pub fn compare(
    header: &Header,
    slot: &EnvironmentSlot,
    key: &MasterKey,
    observed: &Observed,
) -> Result<Comparison, OpenError> {
    let values = enrolled_values(header, slot, key)?;
    let enrolled = |label: &Label| {
        let at = slot.factors.iter().position(|f| f.label == *label)?;
        values.get(at)
    };
    let same = |label: &Label| {
        let value = observed.value(label);
        value.is_some() && value == enrolled(label)
    };
    let labels = || slot.factors.iter().map(|factor| &factor.label);
    Ok(Comparison {
        same: count(slot, same),
        changed: labels()
            .filter(|label| observed.value(label).is_some() && !same(label))
            .cloned()
            .collect(),
        silent: labels()
            .filter(|label| observed.value(label).is_none())
            .cloned()
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_costs_scrypt_and_what_a_key_server_holds_does_not() {
        let salt = [5; 32];
        let label = |text: &str| Label::try_from(text).unwrap();
        let (soft, server) = (label("arp 10.0.0.1"), label("tang 10.0.0.5:80"));
        let value = Value::from_slice(b"value").unwrap();
        let secret = |members: &[&Label]| {
            let members: std::vec::Vec<_> = members.iter().map(|label| (*label, &value)).collect();
            *row_secret(&members, &salt).unwrap().expose()
        };
        let soft_bytes = b"\x0carp 10.0.0.1\x05value";
        let both_bytes = b"\x0carp 10.0.0.1\x05value\x10tang 10.0.0.5:80\x05value";
        let stretched = ScryptParams::FACTORS.stretch(soft_bytes, &salt).unwrap();
        assert_eq!(&secret(&[&soft]), stretched.expose());
        let derived = Secret32::derive_from(both_bytes, &salt, STRONG_LABEL);
        assert_eq!(&secret(&[&soft, &server]), derived.expose());
    }
}
