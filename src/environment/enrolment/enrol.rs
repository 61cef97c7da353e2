//! The slot of a place: one row for every permitted combination of factors.

use heapless::Vec;

use crate::environment::factors::is_asked;
use crate::keys::MasterKey;
#[cfg(feature = "admin")]
use crate::vault::PerGroup;
use crate::vault::{
    EnvironmentSlot, Factor, Group, Header, Label, MAX_FACTORS, MAX_NEIGHBOUR_WITNESSES, MAX_ROWS,
    MAX_WITNESSES, Row, SealedValues, Thresholds, Value, Witness, has_member, kind_of,
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
    /// More than 128 permitted combinations of neighbours.
    TooManyNeighbours {
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

/// Whether a place has room for all combinations, and for those of its neighbours alone.
#[cfg(feature = "admin")]
pub fn is_possible(of: PerGroup<u8>, need: Thresholds) -> bool {
    let ways = |group| binomial(of.of(group).into(), need.of(group));
    let all = Group::ALL.map(ways);
    let all = all.into_iter().fold(1, usize::saturating_mul);
    all <= MAX_ROWS && ways(Group::Neighbours) <= MAX_NEIGHBOUR_WITNESSES
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

/// The members of the witnesses: every permitted combination of neighbours, and each
/// key server, where one is needed.
fn witnessed(
    groups: &[Group],
    need: Thresholds,
) -> Result<Vec<u32, MAX_WITNESSES>, EnrolmentError> {
    let mut sets = Vec::new();
    if need.neighbours > 0 {
        let need = Thresholds {
            neighbours: need.neighbours,
            ..Thresholds::default()
        };
        let neighbours = combinations(groups, need)?;
        if neighbours.len() > MAX_NEIGHBOUR_WITNESSES {
            return Err(EnrolmentError::TooManyNeighbours {
                combinations: neighbours.len(),
            });
        }
        sets.extend(neighbours);
    }
    if need.servers > 0 {
        let servers = groups.iter().enumerate();
        let servers = servers.filter(|(_, group)| **group == Group::Servers);
        for (at, _) in servers {
            let full = EnrolmentError::TooManyFactors;
            sets.push(1 << at).map_err(|_| full)?;
        }
    }
    Ok(sets)
}

/// Numbers the parts of each kind in the order of their values:
/// where one is plugged in does not count, and a boot arranges what it finds in this
/// order.
fn numbered(chosen: &[ChosenFactor]) -> std::vec::Vec<ChosenFactor> {
    let mut ordered = chosen.to_vec();
    for factor in chosen.iter().filter(|factor| !is_asked(&factor.label)) {
        let kind = kind_of(&factor.label);
        let of_kind = chosen.iter().filter(|other| kind_of(&other.label) == kind);
        let mut values: std::vec::Vec<&Value> = of_kind.map(|other| &other.value).collect();
        values.sort_unstable();
        let is_of_kind = |other: &&mut ChosenFactor| kind_of(&other.label) == kind;
        let places = ordered.iter_mut().filter(is_of_kind);
        for ((place, value), number) in places.zip(values).zip(1..) {
            place.value.clone_from(value);
            if factor.label != kind {
                place.label = format!("{kind} {number}")
                    .as_str()
                    .try_into()
                    .expect("a label has room for a kind and a number");
            }
        }
    }
    ordered
}

/// Makes the slot of a place. Each combination without a key server, and each
/// permitted combination of neighbours, costs one scrypt (32 MiB, tens of
/// milliseconds); `progress` is called with the number of combinations that are done
/// and the number of all. The slot has no key servers' addresses and no own addresses
/// yet: the caller adds them.
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
    let chosen = numbered(chosen);
    let groups: Vec<Group, MAX_FACTORS> = chosen.iter().map(|factor| factor.group).collect();
    let permitted = combinations(&groups, need)?;
    let witnessed = witnessed(&groups, need)?;
    let all = permitted.len() + witnessed.len();
    let members = |members: u32| -> Vec<(&Label, &Value), MAX_FACTORS> {
        let factors = chosen.iter().enumerate();
        let factors = factors.filter(|(at, _)| has_member(members, *at));
        factors
            .map(|(_, factor)| (&factor.label, &factor.value))
            .collect()
    };
    let mut rows = Vec::new();
    for (done, set) in permitted.iter().enumerate() {
        progress(done, all);
        let _ = rows.push(Row::wrap(header, id, *set, &members(*set), key));
    }
    let mut witnesses = Vec::new();
    for (done, set) in witnessed.iter().enumerate() {
        progress(permitted.len() + done, all);
        let _ = witnesses.push(Witness::of(header, id, *set, &members(*set)));
    }
    progress(all, all);
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
        witnesses,
        enrolled: SealedValues::seal(header, id, key, &values),
        servers: Vec::new(),
        addresses: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::enrolment::selection::{most_neighbours, usual_thresholds_of};
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
                    let of = PerGroup {
                        machine: machine as u8,
                        neighbours: place as u8,
                        servers: servers as u8,
                    };
                    prop_assert!(is_possible(of, need));
                    sets.sort_unstable();
                    prop_assert_eq!(&sets[..], &expected[..]);
                }
                Err(EnrolmentError::Threshold) => prop_assert!(expected.is_empty()),
                Err(EnrolmentError::TooManyCombinations { combinations }) => {
                    prop_assert!(expected.len() == combinations && combinations > MAX_ROWS);
                }
                Err(EnrolmentError::TooManyFactors | EnrolmentError::TooManyNeighbours { .. }) => {
                    prop_assert!(false);
                }
            }
        }
    }

    #[test]
    fn one_neighbour_more_than_is_offered_would_be_refused() {
        for (machine, servers) in [(1, 0), (4, 0), (4, 2), (8, 0)] {
            let most = most_neighbours(machine, servers);
            let permitted = |neighbours: u8| {
                let mut groups = vec![Group::Machine; machine.into()];
                groups.extend(vec![Group::Neighbours; neighbours.into()]);
                groups.extend(vec![Group::Servers; servers.into()]);
                let need = usual_thresholds_of(PerGroup {
                    machine,
                    neighbours,
                    servers,
                });
                combinations(&groups, need).is_ok() && witnessed(&groups, need).is_ok()
            };
            assert!((1..=most).all(permitted), "{machine} {servers}");
            assert!(!permitted(most + 1), "{machine} {servers} {most}");
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

    #[test]
    fn each_combination_of_neighbours_and_each_server_has_a_witness() {
        let groups = [
            Group::Machine,
            Group::Neighbours,
            Group::Neighbours,
            Group::Neighbours,
            Group::Servers,
            Group::Servers,
        ];
        let need = |neighbours, servers| Thresholds {
            machine: 1,
            neighbours,
            servers,
        };
        let neighbours = [0b110, 0b1010, 0b1100];
        let servers = [0b1_0000, 0b10_0000];
        let of = |need| witnessed(&groups, need).unwrap().to_vec();
        assert_eq!(of(need(2, 0)), neighbours);
        assert_eq!(of(need(0, 1)), servers);
        assert_eq!(of(need(2, 1)), [&neighbours[..], &servers].concat());
        let combinations = 252;
        assert_eq!(
            witnessed(&[Group::Neighbours; 10], need(5, 0)),
            Err(EnrolmentError::TooManyNeighbours { combinations })
        );
    }

    #[test]
    fn parts_of_one_kind_are_numbered_in_the_order_of_their_values() {
        let part = |label: &str, value: u8| ChosenFactor {
            group: Group::Machine,
            label: label.try_into().unwrap(),
            value: Value::from_slice(&[value]).unwrap(),
        };
        let chosen = [
            part("disk 0000:00:1f.2 port 3", 9),
            part("board", 1),
            part("disk 0000:03:00.0", 4),
            part("arp 10.0.0.2", 3),
            part("arp 10.0.0.1", 2),
        ];
        let found = numbered(&chosen);
        let found = found.iter().map(|factor| (&*factor.label, factor.value[0]));
        let expected = [
            ("disk 1", 4),
            ("board", 1),
            ("disk 2", 9),
            ("arp 10.0.0.2", 3),
            ("arp 10.0.0.1", 2),
        ];
        assert!(found.eq(expected));
    }
}
