//! Which factors of a place are enrolled, and how many of them are needed. Used
//! by `stayput enroll` and by `remember` at the prompt.

use core::net::IpAddr;

use super::enrol::ChosenFactor;
#[cfg(feature = "admin")]
use super::enrol::is_possible;
use super::suitability::{UnsuitableNeighbour, check_suitability};
use crate::environment::factors::{Attachment, Observed, address_of, is_asked};
use crate::environment::matching::{Arrangements, Matcher};
use crate::vault::{
    EnvironmentSlot, Group, Header, Label, MAX_FACTORS, MAX_NEIGHBOURS, Passphrases, PerGroup,
    SlotTable, Thresholds, Value, kind_of,
};

/// Whether a neighbour was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourSelection {
    /// It is enrolled.
    Taken,
    /// It did not answer.
    Silent,
    /// What answered cannot bind the server to its place.
    Unsuitable(UnsuitableNeighbour),
}

/// The parts of the machine to enrol.
#[derive(Default)]
pub struct PartSelection {
    /// Those to enrol, with their values.
    pub chosen: Vec<ChosenFactor>,
    /// Those that may not be there at the next boot, and why.
    pub left_out: Vec<(Label, Attachment)>,
}

/// The factors to enrol, and why the others are not among them.
pub struct FactorSelection {
    /// The factors to enrol, with their values.
    pub chosen: Vec<ChosenFactor>,
    /// Parts of the machine that may not be there at the next boot, and why.
    pub left_out: Vec<(Label, Attachment)>,
    /// Each neighbour that was asked, the value that answered, and whether it
    /// was selected.
    pub neighbours: Vec<(Label, Option<Value>, NeighbourSelection)>,
}

/// The parts of the machine that will be there at the next boot, `most` at most, and
/// how the others are attached. What is there twice (a disk on two paths) counts once.
/// Of a kind with too many of them the first ones by their
/// values are taken: those that a boot takes for the enrolled ones.
pub fn select_parts(observed: &Observed, most: usize) -> PartSelection {
    let mut selection = PartSelection::default();
    let parts = || observed.iter().filter(|(label, _)| !is_asked(label));
    let mut in_order: Vec<(&Label, &Value)> = parts().collect();
    in_order.sort_by_key(|(label, value)| {
        let is_of_kind = |(other, _): (&Label, _)| kind_of(other) == kind_of(label);
        (parts().position(is_of_kind), *value)
    });
    for (label, value) in in_order {
        let attachment = observed.attachment(label);
        let is_same = |part: &ChosenFactor| {
            part.label == *label || kind_of(&part.label) == kind_of(label) && part.value == *value
        };
        let mut known = selection.chosen.iter().any(is_same);
        known |= selection.left_out.iter().any(|(known, _)| known == label);
        if known {
            continue;
        }
        if attachment != Attachment::Lasting {
            selection.left_out.push((label.clone(), attachment));
        } else if selection.chosen.len() < most {
            selection.chosen.push(ChosenFactor {
                group: Group::Machine,
                label: label.clone(),
                value: value.clone(),
            });
        }
    }
    selection
}

/// Selects the parts of the machine, 16 at most, and those of `neighbours` that
/// can bind the server to its place.
pub fn select_factors(observed: &Observed, neighbours: &[Label]) -> FactorSelection {
    let PartSelection {
        mut chosen,
        left_out,
    } = select_parts(observed, MAX_FACTORS / 2);
    let mut taken: Vec<Value> = Vec::new();
    let mut judge = |label: &Label| {
        let Some(value) = observed.value(label) else {
            return (label.clone(), None, NeighbourSelection::Silent);
        };
        let selection = match check_suitability(label, observed, &taken) {
            Ok(()) => NeighbourSelection::Taken,
            Err(reason) => NeighbourSelection::Unsuitable(reason),
        };
        if selection == NeighbourSelection::Taken {
            taken.push(value.clone());
            chosen.push(ChosenFactor {
                group: Group::Neighbours,
                label: label.clone(),
                value: value.clone(),
            });
        }
        (label.clone(), Some(value.clone()), selection)
    };
    let neighbours = neighbours.iter().map(&mut judge).collect();
    FactorSelection {
        chosen,
        left_out,
        neighbours,
    }
}

/// How many factors of each group there are; at most 32 together.
pub fn count_by_group(chosen: &[ChosenFactor]) -> PerGroup<u8> {
    let count = |group| chosen.iter().filter(|factor| factor.group == group).count();
    PerGroup::from_fn(|group| count(group) as u8)
}

/// The thresholds that are taken where the owner names none: all parts of the
/// machine, or all but one where there are three or more; all but a third of the
/// neighbours, because a printer that is switched off must not lock anybody out: of
/// three to five one may be away; half of the key servers, rounded up.
///
/// Without neighbours the threshold is 1, which cannot be reached, or 0 where
/// key servers bind the server to its place.
pub fn usual_thresholds(chosen: &[ChosenFactor]) -> Thresholds {
    usual_thresholds_of(count_by_group(chosen))
}

/// The most neighbours that can be enrolled beside so many parts of the machine and key
/// servers, with the thresholds that are usual.
#[cfg(feature = "admin")]
pub fn most_neighbours(machine: u8, servers: u8) -> u8 {
    let fits = |neighbours: &u8| {
        let of = PerGroup {
            machine,
            neighbours: *neighbours,
            servers,
        };
        is_possible(of, usual_thresholds_of(of))
    };
    (1..=MAX_NEIGHBOURS as u8).take_while(fits).count() as u8
}

pub(super) fn usual_thresholds_of(of: PerGroup<u8>) -> Thresholds {
    Thresholds {
        machine: of.machine - u8::from(of.machine > 2),
        neighbours: match (of.neighbours, of.servers) {
            (0, 1..) => 0,
            (0, 0) => 1,
            (neighbours, _) => neighbours - neighbours / 3,
        },
        servers: of.servers.div_ceil(2),
    }
}

/// Whether a slot opens with what is observed here and now; asked before it
/// replaces another. A boot finds it in the same way. Each try without a key server
/// costs one scrypt.
pub fn opens_again(header: &Header, slot: &EnvironmentSlot, observed: &Observed) -> bool {
    let mut matcher = Matcher::new(slot);
    let all = Arrangements::All;
    while matcher.has_next(slot, observed, all) {
        if matcher.try_next(header, slot, observed, all).is_some() {
            return true;
        }
    }
    false
}

/// A slot table with this place alone, and these passphrases.
pub fn table_with_place(slot: EnvironmentSlot, passphrases: Passphrases) -> SlotTable {
    let mut table = SlotTable {
        next_id: slot.id.saturating_add(1),
        passphrases,
        ..SlotTable::default()
    };
    table.environments.extend([Box::new(slot)]);
    table
}

/// The IP addresses of the neighbours among the factors, 16 at most, as the
/// policy keeps them.
pub fn neighbour_addresses(chosen: &[ChosenFactor]) -> heapless::Vec<IpAddr, MAX_NEIGHBOURS> {
    let found = chosen.iter().filter_map(|factor| address_of(&factor.label));
    found.take(MAX_NEIGHBOURS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::enrol;
    use super::*;
    use crate::environment::factors::neighbour_label;
    use crate::keys::{CheapFactors, MasterKey};

    fn observed(stations: &[(Label, &[u8])]) -> Observed {
        let mut observed = Observed::default();
        let serial: Label = "board".try_into().unwrap();
        observed.note(&serial, &Value::from_slice(b"123").unwrap());
        for (label, mac) in stations {
            observed.note(label, &Value::from_slice(mac).unwrap());
        }
        observed
    }

    #[test]
    fn only_neighbours_that_answer_and_bind_are_taken() {
        let labels = [1, 2, 3].map(|n| neighbour_label([10, 0, 0, n].into()));
        let seen = observed(&[
            (labels[0].clone(), &[0x00, 0x1b, 0x21, 0, 0, 1]),
            (labels[1].clone(), &[0x00, 0x1b, 0x21, 0, 0, 1]),
        ]);
        let choice = select_factors(&seen, &labels);
        let selected: Vec<NeighbourSelection> =
            choice.neighbours.iter().map(|found| found.2).collect();
        assert_eq!(selected[0], NeighbourSelection::Taken);
        assert!(
            matches!(selected[1], NeighbourSelection::Unsuitable(_)),
            "the same card"
        );
        assert_eq!(selected[2], NeighbourSelection::Silent);
        let of = count_by_group(&choice.chosen);
        assert_eq!((of.machine, of.neighbours), (1, 1));
        assert_eq!(
            neighbour_addresses(&choice.chosen)[..],
            [IpAddr::from([10, 0, 0, 1])]
        );
    }

    #[test]
    fn a_neighbour_with_two_hardware_addresses_is_not_taken() {
        let labels = [1, 2].map(|n| neighbour_label([10, 0, 0, n].into()));
        let mut seen = observed(&[
            (labels[0].clone(), &[0x00, 0x1b, 0x21, 0, 0, 1]),
            (labels[1].clone(), &[0x00, 0x1b, 0x21, 0, 0, 2]),
        ]);
        let another = Value::from_slice(&[0x00, 0x1b, 0x21, 0, 0, 3]).unwrap();
        seen.note(&labels[0], &another);
        let choice = select_factors(&seen, &labels);
        let several = NeighbourSelection::Unsuitable(UnsuitableNeighbour::SeveralAnswer);
        let selected = choice.neighbours.iter().map(|found| found.2);
        assert!(selected.eq([several, NeighbourSelection::Taken]));
    }

    #[test]
    fn parts_that_come_and_go_are_told_and_not_taken() {
        let mut seen = observed(&[]);
        let passing = [
            Attachment::VirtualFunction,
            Attachment::Removable,
            Attachment::MemoryCard,
            Attachment::CameLater,
        ];
        let mut label = |n: u8, attachment| {
            let label: Label = format!("nic {n}").as_str().try_into().unwrap();
            seen.note(&label, &Value::from_slice(&[n; 6]).unwrap());
            seen.note_attachment(&label, attachment);
            (label, attachment)
        };
        let left_out: Vec<_> = (1..).zip(passing).map(|(n, how)| label(n, how)).collect();
        let built_in = label(9, Attachment::Lasting).0;
        let choice = select_factors(&seen, &[]);
        assert_eq!(choice.left_out, left_out);
        let taken: Vec<&str> = choice.chosen.iter().map(|part| &*part.label).collect();
        assert_eq!(taken, ["board", &built_in]);
    }

    #[test]
    fn a_disk_on_two_paths_is_one_disk_and_opens_again() {
        let _cheap = CheapFactors::begin();
        let mut seen = observed(&[]);
        for (label, serial) in [("disk 0:0", b"X"), ("disk 1:0", b"X"), ("disk 2:0", b"Y")] {
            seen.note(
                &label.try_into().unwrap(),
                &Value::from_slice(serial).unwrap(),
            );
        }
        let chosen = select_factors(&seen, &[]).chosen;
        assert_eq!(chosen.len(), 3, "the board and two disks");
        let (key, name) = (MasterKey::generate(), "home".try_into().unwrap());
        let header = Header::of_a_new_server(&key);
        let need = Thresholds {
            machine: 2,
            ..Thresholds::default()
        };
        let slot = enrol(&header, &key, 1, name, &chosen, need, |_, _| ()).unwrap();
        assert!(opens_again(&header, &slot, &seen));
    }

    #[test]
    fn a_place_opens_again_while_its_first_disk_is_gone() {
        let _cheap = CheapFactors::begin();
        let with_disks = |serials: &[u8]| {
            let mut seen = observed(&[]);
            for serial in serials {
                let label = format!("disk {serial}").as_str().try_into().unwrap();
                seen.note(&label, &Value::from_slice(&[*serial]).unwrap());
            }
            seen
        };
        let chosen = select_factors(&with_disks(b"ABC"), &[]).chosen;
        let (key, name) = (MasterKey::generate(), "home".try_into().unwrap());
        let header = Header::of_a_new_server(&key);
        let need = Thresholds {
            machine: 3,
            ..Thresholds::default()
        };
        let slot = enrol(&header, &key, 1, name, &chosen, need, |_, _| ()).unwrap();
        assert!(opens_again(&header, &slot, &with_disks(b"BC")));
        assert!(!opens_again(&header, &slot, &with_disks(b"C")));
    }

    #[test]
    fn of_a_case_full_of_disks_the_first_by_their_values_are_taken() {
        let mut seen = observed(&[]);
        for n in 0..20u8 {
            let label: Label = format!("disk {n}").as_str().try_into().unwrap();
            seen.note(&label, &Value::from_slice(&[100 - n]).unwrap());
        }
        let taken = select_factors(&seen, &[]).chosen;
        let values = taken.iter().skip(1).map(|part| part.value[0]);
        assert!(values.eq(81..96), "behind the board");
    }

    #[test]
    fn half_of_the_key_servers_are_needed_and_then_no_neighbour() {
        for (servers, needed) in [(1, 1), (2, 1), (3, 2), (8, 4)] {
            let mut chosen = select_factors(&observed(&[]), &[]).chosen;
            for n in 0..servers {
                chosen.push(ChosenFactor {
                    group: Group::Servers,
                    label: format!("tang 10.0.0.{n}:80").as_str().try_into().unwrap(),
                    value: Value::from_slice(&[n; 32]).unwrap(),
                });
            }
            let need = usual_thresholds(&chosen);
            assert_eq!((need.neighbours, need.servers), (0, needed));
        }
    }

    #[test]
    fn of_three_to_five_neighbours_one_may_be_away() {
        for (neighbours, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (9, 6)] {
            let chosen: Vec<ChosenFactor> = (0..neighbours)
                .map(|n| ChosenFactor {
                    group: Group::Neighbours,
                    label: neighbour_label([10, 0, 0, n].into()),
                    value: Value::from_slice(&[n; 6]).unwrap(),
                })
                .collect();
            assert_eq!(usual_thresholds(&chosen).neighbours, needed, "{neighbours}");
        }
    }

    #[test]
    fn a_place_without_neighbours_asks_for_more_than_there_are() {
        let choice = select_factors(&observed(&[]), &[]);
        assert_eq!(usual_thresholds(&choice.chosen).neighbours, 1);
    }
}
