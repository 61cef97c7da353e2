//! What has answered and, once the vault is open, what has changed since
//! enrolment.

use heapless::Vec;

use super::enrolled_values::enrolled_values;
use crate::environment::factors::Observed;
use crate::keys::{MasterKey, OpenError};
use crate::vault::{Answered, EnvironmentSlot, Header, Label, MAX_FACTORS};

/// How many factors have answered, right or wrong.
pub fn answered(slot: &EnvironmentSlot, observed: &Observed) -> Answered {
    count(slot, |label| observed.value(label).is_some())
}

/// Whether enough factors of each group have answered for a combination.
pub fn enough_answered(slot: &EnvironmentSlot, observed: &Observed) -> bool {
    answered(slot, observed).reach(slot.need)
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
