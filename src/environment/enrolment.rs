//! Enrolling a place: one row for every permitted combination of factors.

use heapless::Vec;

use super::matching::{ROW_LABEL, has_member, row_associated, row_secret, seal_values};
use crate::keys::{MasterKey, WrappedKey, random_bytes};
use crate::vault::{
    EnvironmentSlot, Factor, Group, Header, Label, MAX_FACTORS, MAX_ROWS, Row, Thresholds, Value,
};

/// A factor that was chosen for a place, with its value now.
#[derive(Clone)]
pub struct Chosen {
    pub group: Group,
    pub label: Label,
    pub value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentError {
    /// More than 32 factors.
    TooManyFactors,
    /// More than 256 permitted combinations.
    TooManyCombinations { combinations: usize },
    /// More factors needed than there are, or none at all.
    Threshold,
}

/// All combinations that hold exactly as many factors of each group as are
/// needed, as bit sets; or how many there would be if they are more than fit.
fn combinations(groups: &[Group], need: Thresholds) -> Result<Vec<u32, MAX_ROWS>, EnrolmentError> {
    let size = |group| groups.iter().filter(|g| **g == group).count();
    let (machine, place) = (size(Group::Machine), size(Group::Place));
    let possible = usize::from(need.machine) <= machine && usize::from(need.place) <= place;
    if !possible || need.machine + need.place == 0 {
        return Err(EnrolmentError::Threshold);
    }
    let combinations = choose(machine, need.machine).saturating_mul(choose(place, need.place));
    if combinations > MAX_ROWS {
        return Err(EnrolmentError::TooManyCombinations { combinations });
    }
    let mut sets = Vec::new();
    extend(groups, need, 0, 0, &mut sets);
    Ok(sets)
}

/// Binomial coefficient, saturating.
fn choose(n: usize, k: u8) -> usize {
    (0..usize::from(k)).fold(1, |product: usize, i| {
        product.saturating_mul(n - i) / (i + 1)
    })
}

/// Decides on the factors from `at` on, with the first ones taken first.
fn extend(
    groups: &[Group],
    need: Thresholds,
    at: usize,
    members: u32,
    sets: &mut Vec<u32, MAX_ROWS>,
) {
    if need.machine == 0 && need.place == 0 {
        // The caller has made sure that they fit.
        let _ = sets.push(members);
        return;
    }
    let Some(group) = groups.get(at) else {
        return;
    };
    let mut rest = need;
    let open = match group {
        Group::Machine => &mut rest.machine,
        Group::Place => &mut rest.place,
    };
    if *open > 0 {
        *open -= 1;
        extend(groups, rest, at + 1, members | 1 << at, sets);
    }
    extend(groups, need, at + 1, members, sets);
}

/// Makes the slot of a place. Each combination costs one scrypt (tens of
/// milliseconds); `progress` is told how many of how many are done.
///
/// # Errors
/// [`EnrolmentError`].
pub fn enrol(
    header: &Header,
    key: &MasterKey,
    id: u32,
    name: heapless::String<32>,
    chosen: &[Chosen],
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
        let salt = random_bytes();
        let secret = row_secret(&values, &salt).expect("labels and values of fixed capacity fit");
        let associated = row_associated(header, id, *members);
        let row = Row {
            members: *members,
            salt,
            wrapped: WrappedKey::wrap(&secret, ROW_LABEL, &associated, key),
        };
        let _ = rows.push(row);
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
        enrolled: seal_values(header, id, key, &values),
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
            machine in 0usize..7, place in 0usize..7,
            need_machine in 0u8..8, need_place in 0u8..8,
        ) {
            let mut groups = vec![Group::Machine; machine];
            groups.extend(vec![Group::Place; place]);
            let need = Thresholds { machine: need_machine, place: need_place };
            let expected: Vec<u32, 8192> = (1u32..1 << (machine + place))
                .filter(|set| {
                    let of_machine = set & ((1 << machine) - 1);
                    of_machine.count_ones() == u32::from(need_machine)
                        && (set >> machine).count_ones() == u32::from(need_place)
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
            place: 0,
        };
        assert_eq!(
            combinations(&groups, need),
            Err(EnrolmentError::TooManyCombinations {
                combinations: 184_756
            })
        );
    }
}
