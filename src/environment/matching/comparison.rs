//! Compares what was observed with what is enrolled: which factors have
//! answered, and, with the master key, which have changed.

use heapless::Vec;

use crate::environment::factors::Observed;
use crate::keys::{MasterKey, UnsealError};
use crate::vault::{EnvironmentSlot, FactorCounts, Header, Label, MAX_FACTORS};

/// How many factors of each group have answered, right or wrong.
pub fn answered(slot: &EnvironmentSlot, observed: &Observed) -> FactorCounts {
    count(slot, |label| observed.value(label).is_some())
}

/// Whether enough factors of each group have answered to try a combination.
pub fn enough_answered(slot: &EnvironmentSlot, observed: &Observed) -> bool {
    answered(slot, observed).reach(slot.need)
}

fn count(slot: &EnvironmentSlot, counts: impl Fn(&Label) -> bool) -> FactorCounts {
    let factors = slot.factors.iter();
    factors
        .map(|factor| (factor.group, counts(&factor.label)))
        .collect()
}

/// Which factors are as they were enrolled.
pub struct Comparison {
    /// How many factors of each group are as they were enrolled.
    pub same: FactorCounts,
    /// Factors that answered, and never with the enrolled value.
    pub changed: Vec<Label, MAX_FACTORS>,
    /// Factors that have not answered yet.
    pub silent: Vec<Label, MAX_FACTORS>,
}

/// Compares the observed values with the enrolled ones.
///
/// # Errors
/// [`UnsealError`] when the enrolled values do not open under `key`.
pub fn compare(
    header: &Header,
    slot: &EnvironmentSlot,
    key: &MasterKey,
    observed: &Observed,
) -> Result<Comparison, UnsealError> {
    let values = slot.enrolled_values(header, key)?;
    let enrolled = |label: &Label| {
        let at = slot.factors.iter().position(|f| f.label == *label)?;
        values.get(at)
    };
    let same = |label: &Label| {
        let mut heard = observed.values(label);
        heard.any(|value| Some(value) == enrolled(label))
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
