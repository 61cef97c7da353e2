//! Compares what was observed with what is enrolled: which factors have
//! answered, and, with the master key, which have changed.

use heapless::Vec;

use super::candidates::Candidates;
use crate::environment::factors::{Observed, is_asked};
use crate::keys::{MasterKey, UnsealError};
use crate::vault::{
    EnvironmentSlot, FactorCounts, Header, Label, MAX_FACTORS, Value, is_key_server, kind_of,
};

/// How many factors of each group have answered, right or wrong.
pub fn answered(slot: &EnvironmentSlot, observed: &Observed) -> FactorCounts {
    let candidates = Candidates::of(slot, observed);
    count(slot, |at| candidates.has_answered(at))
}

/// Whether enough factors of each group have answered to try a combination.
pub fn enough_answered(slot: &EnvironmentSlot, observed: &Observed) -> bool {
    answered(slot, observed).reach(slot.need)
}

fn count(slot: &EnvironmentSlot, counts: impl Fn(usize) -> bool) -> FactorCounts {
    let factors = slot.factors.iter().enumerate();
    factors
        .map(|(at, factor)| (factor.group, counts(at)))
        .collect()
}

/// What became of an enrolled factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactorChange<'a> {
    /// Its enrolled value was observed, in whatever position.
    Same,
    /// It has this value now.
    Changed(&'a Value),
    /// Nothing was observed that could be it.
    Silent,
}

/// What became of each factor of `slot`, whose enrolled values these are.
pub fn changes<'a>(
    slot: &'a EnvironmentSlot,
    enrolled: &[Value],
    observed: &'a Observed,
) -> std::vec::Vec<FactorChange<'a>> {
    let candidates = Candidates::of(slot, observed);
    let kind = |at: usize| kind_of(&slot.factors[at].label);
    let of_kind = |at| (0..enrolled.len()).filter(move |other| kind(*other) == kind(at));
    let is_same = |at: usize| match is_key_server(&slot.factors[at].label) {
        true => candidates.value(at) == enrolled.get(at),
        false => candidates.of_the_kind(at).contains(&&enrolled[at]),
    };
    let change = |at: usize| {
        if is_same(at) {
            return FactorChange::Same;
        }
        let value = match is_asked(&slot.factors[at].label) {
            true => candidates.value(at),
            // A part that is new stands for one that is gone.
            false => {
                let gone = of_kind(at).filter(|other| *other < at && !is_same(*other));
                let values = candidates.lasting_of_the_kind(at).iter();
                let is_new = |value: &&&Value| of_kind(at).all(|other| enrolled[other] != ***value);
                values.filter(is_new).nth(gone.count()).copied()
            }
        };
        value.map_or(FactorChange::Silent, FactorChange::Changed)
    };
    (0..slot.factors.len().min(enrolled.len()))
        .map(change)
        .collect()
}

/// Which factors are as they were enrolled.
#[derive(Debug, Default)]
pub struct Comparison {
    /// How many factors of each group are as they were enrolled.
    pub same: FactorCounts,
    /// Factors that answered, and not with the enrolled value.
    pub changed: Vec<Label, MAX_FACTORS>,
    /// Factors that have not answered yet.
    pub silent: Vec<Label, MAX_FACTORS>,
    /// Factors that could not be asked: nothing is known of them.
    pub not_asked: Vec<Label, MAX_FACTORS>,
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
    let changes = changes(slot, &values, observed);
    let labels = |like: &dyn Fn(&Label, &FactorChange<'_>) -> bool| {
        let factors = slot.factors.iter().zip(&changes);
        let found = factors.filter(|(factor, change)| like(&factor.label, change));
        found.map(|(factor, _)| factor.label.clone()).collect()
    };
    let is_silent = |change: &FactorChange<'_>| *change == FactorChange::Silent;
    let not_asked = observed.not_asked();
    Ok(Comparison {
        same: count(slot, |at| changes[at] == FactorChange::Same),
        changed: labels(&|_, change| matches!(change, FactorChange::Changed(_))),
        silent: labels(&|label, change| is_silent(change) && !not_asked.contains(label)),
        not_asked: labels(&|label, change| is_silent(change) && not_asked.contains(label)),
    })
}
