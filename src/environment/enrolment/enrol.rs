//! The slot of a place: one row for every permitted combination of factors.

use heapless::Vec;

use crate::keys::MasterKey;
use crate::vault::{
    EnvironmentSlot, Factor, Group, Header, Label, MAX_FACTORS, MAX_ROWS, Row, SealedValues,
    Thresholds, Value, has_member,
};

/// A factor that was selected for a place, with its value now.
#[derive(Clone)]
pub struct ChosenFactor {
    /// Whether it counts as a part of the machine, a neighbour or a key server.
    pub group: Group,
    /// The name of the factor.
    pub label: Label,
    /// What was observed. Secret: the rows are wrapped under these values.
    pub value: Value,
}

/// Why a choice of factors and thresholds cannot be enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentError {
    /// More than 32 factors.
    TooManyFactors,
    /// More than 256 permitted combinations.
    TooManyCombinations {
        /// How many there would be.
        combinations: usize,
    },
    /// More factors are needed than there are, or none at all.
    Threshold,
}

/// All combinations that hold exactly as many factors of each group as are
/// needed, as bit sets.
fn combinations(groups: &[Group], need: Thresholds) -> Result<Vec<u32, MAX_ROWS>, EnrolmentError> {
    let size = |group| groups.iter().filter(|g| **g == group).count();
    let needed = Group::ALL.map(|group| (size(group), need.of(group)));
    let possible = needed.iter().all(|(of, need)| usize::from(*need) <= *of);
    if !possible || need == Thresholds::default() {
        return Err(EnrolmentError::Threshold);
    }
    let combinations = needed.iter().fold(1, |product: usize, (of, need)| {
        product.saturating_mul(binomial(*of, *need))
    });
    if combinations > MAX_ROWS {
        return Err(EnrolmentError::TooManyCombinations { combinations });
    }
    let mut sets = Vec::new();
    extend(groups, need, 0, 0, &mut sets);
    Ok(sets)
}

/// Binomial coefficient, saturating.
fn binomial(n: usize, k: u8) -> usize {
    (0..usize::from(k)).fold(1, |product: usize, i| {
        product.saturating_mul(n - i) / (i + 1)
    })
}

/// Adds to `sets` each way to complete `members` with factors from `at` on.
/// Sets with the first factors come first.
fn extend(
    groups: &[Group],
    need: Thresholds,
    at: usize,
    members: u32,
    sets: &mut Vec<u32, MAX_ROWS>,
) {
    if need == Thresholds::default() {
        // The caller has checked that they fit.
        let _ = sets.push(members);
        return;
    }
    let Some(group) = groups.get(at) else {
        return;
    };
    let mut rest = need;
    let open = rest.of_mut(*group);
    if *open > 0 {
        *open -= 1;
        extend(groups, rest, at + 1, members | 1 << at, sets);
    }
    extend(groups, need, at + 1, members, sets);
}

/// Makes the slot of a place. Each combination without a key server costs one
/// scrypt (32 MiB, tens of milliseconds); `progress` is called with the number
/// of combinations that are done and the number of all. The slot has no key
/// servers' addresses and no own addresses yet: the caller adds them.
///
/// # Errors
/// [`EnrolmentError`].
pub fn enrol(
    header: &Header,
    key: &MasterKey,
    id: u32,
    name: heapless::String<32>,
    chosen: &[ChosenFactor],
    need: Thresholds,
    mut progress: impl FnMut(usize, usize),
) -> Result<EnvironmentSlot, EnrolmentError> {
    if chosen.len() > MAX_FACTORS {
        return Err(EnrolmentError::TooManyFactors);
    }
    let groups: Vec<Group, MAX_FACTORS> = chosen.iter().map(|factor| factor.group).collect();
    let sets = combinations(&groups, need)?;
    let mut rows = Vec::new();
    for (done, members) in sets.iter().enumerate() {
        progress(done, sets.len());
        let values: Vec<(&Label, &Value), MAX_FACTORS> = chosen
            .iter()
            .enumerate()
            .filter(|(at, _)| has_member(*members, *at))
            .map(|(_, factor)| (&factor.label, &factor.value))
            .collect();
        let _ = rows.push(Row::wrap(header, id, *members, &values, key));
    }
    progress(sets.len(), sets.len());
    let values = chosen.iter().map(|factor| factor.value.clone()).collect();
    Ok(EnvironmentSlot {
        id,
        name,
        factors: chosen
            .iter()
            .map(|factor| Factor {
                group: factor.group,
                label: factor.label.clone(),
            })
            .collect(),
        need,
        rows,
        enrolled: SealedValues::seal(header, id, key, &values),
        servers: Vec::new(),
        addresses: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_permitted_combination_has_one_row_and_no_other_has(
            machine in 0usize..6, place in 0usize..5, servers in 0usize..4,
            need_machine in 0u8..7, need_place in 0u8..6, need_servers in 0u8..5,
        ) {
            let mut groups = vec![Group::Machine; machine];
            groups.extend(vec![Group::Neighbours; place]);
            groups.extend(vec![Group::Servers; servers]);
            let need = Thresholds {
                machine: need_machine,
                neighbours: need_place,
                servers: need_servers,
            };
            let count = |set: u32, from: usize, size: usize| {
                (set >> from & ((1 << size) - 1)).count_ones()
            };
            let expected: Vec<u32, 8192> = (1u32..1 << (machine + place + servers))
                .filter(|set| {
                    count(*set, 0, machine) == u32::from(need_machine)
                        && count(*set, machine, place) == u32::from(need_place)
                        && count(*set, machine + place, servers) == u32::from(need_servers)
                })
                .collect();
            match combinations(&groups, need) {
                Ok(mut sets) => {
                    sets.sort_unstable();
                    prop_assert_eq!(&sets[..], &expected[..]);
                }
                Err(EnrolmentError::Threshold) => prop_assert!(expected.is_empty()),
                Err(EnrolmentError::TooManyCombinations { combinations }) => {
                    prop_assert!(expected.len() == combinations && combinations > MAX_ROWS);
                }
                Err(EnrolmentError::TooManyFactors) => prop_assert!(false),
            }
        }
    }

    #[test]
    fn too_many_combinations_are_refused_and_counted() {
        let groups = [Group::Machine; 20];
        let need = Thresholds {
            machine: 10,
            ..Thresholds::default()
        };
        assert_eq!(
            combinations(&groups, need),
            Err(EnrolmentError::TooManyCombinations {
                combinations: 184_756
            })
        );
    }
}
