//! Slots for tests.

use super::{ChosenFactor, enrol};
use crate::keys::MasterKey;
use crate::vault::{EnvironmentSlot, Group, Header, Thresholds, Value};

/// The slot of a place with these factors: group, label and value.
pub fn test_slot<'a>(
    header: &Header,
    key: &MasterKey,
    (id, name): (u32, &str),
    factors: impl IntoIterator<Item = (Group, &'a str, Value)>,
    need: Thresholds,
) -> EnvironmentSlot {
    let chosen: Vec<ChosenFactor> = factors
        .into_iter()
        .map(|(group, label, value)| ChosenFactor {
            group,
            label: label.try_into().unwrap(),
            value,
        })
        .collect();
    let name = name.try_into().unwrap();
    enrol(header, key, id, name, &chosen, need, |_, _| ()).unwrap()
}
