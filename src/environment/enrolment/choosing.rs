//! What of a place is enrolled, and how much of it is needed: the same for
//! `stayput enroll` and for a place that is remembered at the prompt.

use core::net::IpAddr;

use super::binding::{Refused, suits_enrolment};
use super::enrol::Chosen;
use crate::environment::factors::{Observed, address_of};
use crate::environment::matching::Matcher;
use crate::vault::{
    EnvironmentSlot, Group, Header, Label, MAX_FACTORS, MAX_NEIGHBOURS, Passphrases, SlotTable,
    Thresholds, Value,
};

/// Whether a neighbour binds the server to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is enrolled.
    Taken,
    /// It did not answer.
    Silent,
    /// What answers does not bind the server to its place.
    Refused(Refused),
}

/// What is taken, and what was thought of each neighbour.
pub struct Choice {
    /// The factors that are enrolled, with their values.
    pub chosen: Vec<Chosen>,
    /// Each neighbour that was asked, what answered there, and whether it is taken.
    pub neighbours: Vec<(Label, Option<Value>, Verdict)>,
}

/// Takes the machine, and those `neighbours` that bind.
pub fn choose(observed: &Observed, neighbours: &[Label]) -> Choice {
    let mut chosen: Vec<Chosen> = observed
        .iter()
        .filter(|(label, _)| !neighbours.contains(label))
        .take(MAX_FACTORS / 2)
        .map(|(label, value)| Chosen {
            group: Group::Machine,
            label: label.clone(),
            value: value.clone(),
        })
        .collect();
    let mut taken: Vec<Value> = Vec::new();
    let mut judge = |label: &Label| {
        let Some(value) = observed.value(label) else {
            return (label.clone(), None, Verdict::Silent);
        };
        let verdict = match suits_enrolment(label, value, &taken) {
            Ok(()) => Verdict::Taken,
            Err(reason) => Verdict::Refused(reason),
        };
        if verdict == Verdict::Taken {
            taken.push(value.clone());
            chosen.push(Chosen {
                group: Group::Place,
                label: label.clone(),
                value: value.clone(),
            });
        }
        (label.clone(), Some(value.clone()), verdict)
    };
    let neighbours = neighbours.iter().map(&mut judge).collect();
    Choice { chosen, neighbours }
}

/// How many factors of a group there are; at most 32.
pub fn count(chosen: &[Chosen], group: Group) -> u8 {
    chosen.iter().filter(|factor| factor.group == group).count() as u8
}

/// All of a few, all but one of several machine factors; more than half of
/// the neighbours: a printer that is switched off must not lock anybody out.
/// Without neighbours that is more than there are, or none at all where key
/// servers bind the server to its place. Of those half are enough.
pub fn usual_thresholds(chosen: &[Chosen]) -> Thresholds {
    let machine_of = count(chosen, Group::Machine);
    let servers_of = count(chosen, Group::Servers);
    Thresholds {
        machine: machine_of - u8::from(machine_of > 2),
        place: match (count(chosen, Group::Place), servers_of) {
            (0, 1..) => 0,
            (place_of, _) => place_of / 2 + 1,
        },
        servers: servers_of.div_ceil(2),
    }
}

/// Whether a new slot opens here and now, before it replaces what there is.
pub fn opens_again(header: &Header, slot: &EnvironmentSlot, observed: &Observed) -> bool {
    let mut matcher = Matcher::new(slot);
    while matcher.has_next(slot, observed) {
        if matcher.try_next(header, slot, observed).is_some() {
            return true;
        }
    }
    false
}

/// A table with this place alone, and with the people that there are.
pub fn table_of(slot: EnvironmentSlot, passphrases: Passphrases) -> SlotTable {
    let mut table = SlotTable {
        next_id: slot.id.saturating_add(1),
        passphrases,
        ..SlotTable::default()
    };
    table.environments.extend([Box::new(slot)]);
    table
}

/// The addresses of the neighbours among them, as the policy keeps them.
pub fn addresses(chosen: &[Chosen]) -> heapless::Vec<IpAddr, MAX_NEIGHBOURS> {
    let found = chosen.iter().filter_map(|factor| address_of(&factor.label));
    found.take(MAX_NEIGHBOURS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::factors::neighbour_label;

    fn observed(stations: &[(Label, &[u8])]) -> Observed {
        let mut observed = Observed::default();
        let serial: Label = "board-serial".try_into().unwrap();
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
        let choice = choose(&seen, &labels);
        let verdicts: Vec<Verdict> = choice.neighbours.iter().map(|found| found.2).collect();
        assert_eq!(verdicts[0], Verdict::Taken);
        assert!(matches!(verdicts[1], Verdict::Refused(_)), "the same card");
        assert_eq!(verdicts[2], Verdict::Silent);
        assert_eq!(count(&choice.chosen, Group::Machine), 1);
        assert_eq!(count(&choice.chosen, Group::Place), 1);
        assert_eq!(addresses(&choice.chosen)[..], [IpAddr::from([10, 0, 0, 1])]);
    }

    #[test]
    fn half_of_the_key_servers_are_needed_and_with_one_no_neighbour_is() {
        for (servers, needed) in [(1, 1), (2, 1), (3, 2), (8, 4)] {
            let mut chosen = choose(&observed(&[]), &[]).chosen;
            for n in 0..servers {
                chosen.push(Chosen {
                    group: Group::Servers,
                    label: format!("tang 10.0.0.{n}:80").as_str().try_into().unwrap(),
                    value: Value::from_slice(&[n; 32]).unwrap(),
                });
            }
            let need = usual_thresholds(&chosen);
            assert_eq!((need.place, need.servers), (0, needed));
        }
    }

    #[test]
    fn a_place_without_neighbours_asks_for_more_than_there_are() {
        let choice = choose(&observed(&[]), &[]);
        assert_eq!(usual_thresholds(&choice.chosen).place, 1);
    }
}
