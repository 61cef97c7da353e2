//! Refreshing an enrolled place: the same factors, with today's values where
//! they have changed. Pure.

use super::enrol::ChosenFactor;
use super::suitability::{UnsuitableNeighbour, check_suitability};
use crate::environment::factors::Observed;
use crate::environment::matching::{FactorChange, changes};
use crate::vault::{EnvironmentSlot, FactorCounts, Group, Label, Value, is_key_server};

/// What a refresh does to one factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// Its value is as it was enrolled.
    Unchanged,
    /// Its value has changed; today's value is taken.
    Updated,
    /// Another enrolled neighbour has its address now, and is taken there.
    Moved,
    /// It did not answer: the enrolled value is kept.
    Silent,
    /// What answers today cannot bind the server to its place: the enrolled
    /// value is kept.
    Unsuitable(UnsuitableNeighbour),
}

/// The factors of a place as they would be enrolled now.
pub struct RefreshedPlace {
    /// The factors of the slot, with the values that would be enrolled.
    pub chosen: Vec<ChosenFactor>,
    /// What was done to each factor, in the order of the slot.
    pub outcomes: Vec<(Label, RefreshOutcome)>,
}

/// Compares a slot with what is observed now. `enrolled` are the values of the
/// slot's factors, in their order.
pub fn refresh(slot: &EnvironmentSlot, enrolled: &[Value], observed: &Observed) -> RefreshedPlace {
    let factors = || slot.factors.iter().zip(enrolled);
    let changes = changes(slot, enrolled, observed);
    let has = |label: &Label, value: &Value| observed.values(label).any(|now| now == value);
    let is_new =
        |label: &Label, value: &Value| observed.value(label).is_some() && !has(label, value);
    let is_known = |value: &Value| {
        let mut neighbours = factors().filter(|(factor, _)| factor.group == Group::Neighbours);
        neighbours.any(|(_, known)| known == value)
    };
    // A value that is kept must not be taken for a second neighbour.
    let mut neighbours: Vec<Value> = factors()
        .filter(|(factor, value)| {
            factor.group == Group::Neighbours && !is_new(&factor.label, value)
        })
        .map(|(_, value)| value.clone())
        .collect();
    let mut refreshed = RefreshedPlace {
        chosen: Vec::new(),
        outcomes: Vec::new(),
    };
    for ((factor, value), change) in factors().zip(changes) {
        let now = match (factor.group, change) {
            (Group::Machine, FactorChange::Same) => Some(value),
            (Group::Machine, FactorChange::Changed(now)) => Some(now),
            (Group::Machine, FactorChange::Silent) => None,
            _ => observed.value(&factor.label),
        };
        let (outcome, value) = match now {
            None => (RefreshOutcome::Silent, value),
            Some(now) if now == value || has(&factor.label, value) => {
                (RefreshOutcome::Unchanged, value)
            }
            // A server that does not know the enrolled key gives no value to
            // enrol. New keys of the same server are taken with `update`.
            Some(_) if is_key_server(&factor.label) => (RefreshOutcome::Silent, value),
            Some(now) if factor.group == Group::Machine => (RefreshOutcome::Updated, now),
            Some(now) => match check_suitability(&factor.label, observed, &neighbours) {
                Ok(()) => {
                    neighbours.push(now.clone());
                    let outcome = match is_known(now) {
                        true => RefreshOutcome::Moved,
                        false => RefreshOutcome::Updated,
                    };
                    (outcome, now)
                }
                Err(why) => (RefreshOutcome::Unsuitable(why), value),
            },
        };
        refreshed.outcomes.push((factor.label.clone(), outcome));
        refreshed.chosen.push(ChosenFactor {
            group: factor.group,
            label: factor.label.clone(),
            value: value.clone(),
        });
    }
    refreshed.keep_neighbours_apart(enrolled);
    refreshed
}

impl RefreshedPlace {
    /// A neighbour whose new value another one keeps gets its enrolled value back: two
    /// with one value would be one secret fewer. Enrolled values differ, so this ends.
    fn keep_neighbours_apart(&mut self, enrolled: &[Value]) {
        let is_new = |outcome| matches!(outcome, RefreshOutcome::Moved | RefreshOutcome::Updated);
        while let Some(at) = (0..self.chosen.len()).find(|at| {
            let factor = &self.chosen[*at];
            let is_other = |(other, _): &(usize, &ChosenFactor)| other != at;
            let mut others = self.chosen.iter().enumerate().filter(is_other);
            factor.group == Group::Neighbours
                && is_new(self.outcomes[*at].1)
                && others
                    .any(|(_, other)| other.group == factor.group && other.value == factor.value)
        }) {
            self.chosen[at].value.clone_from(&enrolled[at]);
            let same = UnsuitableNeighbour::SameAsAnother;
            self.outcomes[at].1 = RefreshOutcome::Unsuitable(same);
        }
    }

    /// Sets a factor's value, for example that of a key server whose new keys
    /// were verified.
    pub fn update(&mut self, label: &Label, value: &Value) {
        for (factor, (_, outcome)) in self.chosen.iter_mut().zip(&mut self.outcomes) {
            if factor.label == *label {
                factor.value.clone_from(value);
                *outcome = RefreshOutcome::Updated;
            }
        }
    }

    /// How many factors get another value.
    pub fn updated(&self) -> u8 {
        let outcomes = self.outcomes.iter();
        let updated = outcomes.filter(|(_, outcome)| {
            matches!(outcome, RefreshOutcome::Updated | RefreshOutcome::Moved)
        });
        updated.count().try_into().unwrap_or(u8::MAX)
    }

    fn count(&self, counts: impl Fn(RefreshOutcome) -> bool) -> FactorCounts {
        let factors = self.chosen.iter().zip(&self.outcomes);
        factors
            .map(|(factor, (_, outcome))| (factor.group, counts(*outcome)))
            .collect()
    }

    /// Whether this is another place, not the same one with something replaced:
    /// neighbours are enrolled, and neither a neighbour nor a key server has
    /// its enrolled value.
    pub fn is_elsewhere(&self) -> bool {
        let same = self
            .count(|outcome| matches!(outcome, RefreshOutcome::Unchanged | RefreshOutcome::Moved));
        same.neighbours.of > 0 && same.neighbours.count == 0 && same.servers.count == 0
    }

    /// The factors whose observed value is the one that will be enrolled.
    pub fn same_afterwards(&self) -> FactorCounts {
        self.count(|outcome| {
            !matches!(
                outcome,
                RefreshOutcome::Silent | RefreshOutcome::Unsuitable(_)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{enrol, opens_again, test_slot};
    use super::*;
    use crate::environment::factors::{Attachment, neighbour_label};
    use crate::keys::MasterKey;
    use crate::vault::{Header, Thresholds};

    const ROUTER: [u8; 6] = [0x00, 0x0d, 0xb9, 0, 0, 1];
    const PRINTER: [u8; 6] = [0x00, 0x11, 0x32, 0, 0, 2];
    const SWITCH: [u8; 6] = [0x3c, 0x2a, 0xf4, 0, 0, 3];
    const NEW_ROUTER: [u8; 6] = [0x00, 0x26, 0xf2, 0, 0, 9];

    fn neighbour(n: u8) -> Label {
        neighbour_label([10, 0, 0, n].into())
    }

    fn value(bytes: &[u8]) -> Value {
        Value::from_slice(bytes).unwrap()
    }

    /// What answers: a serial number, then the neighbours 1, 2 and 3.
    fn seen(neighbours: [Option<[u8; 6]>; 3]) -> Observed {
        let mut observed = Observed::default();
        observed.note(&"board".try_into().unwrap(), &value(b"123"));
        for (n, mac) in (1..).zip(neighbours) {
            if let Some(mac) = mac {
                observed.note(&neighbour(n), &value(&mac));
            }
        }
        observed
    }

    struct Clinic {
        key: MasterKey,
        header: Header,
        slot: EnvironmentSlot,
    }

    fn clinic() -> Clinic {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let home = seen([Some(ROUTER), Some(PRINTER), Some(SWITCH)]);
        let factors = home.iter().map(|(label, value)| {
            let group = match label.starts_with("arp") {
                true => Group::Neighbours,
                false => Group::Machine,
            };
            (group, label.as_str(), value.clone())
        });
        let need = Thresholds {
            machine: 1,
            neighbours: 2,
            ..Thresholds::default()
        };
        let slot = test_slot(&header, &key, (0, "home"), factors, need);
        Clinic { key, header, slot }
    }

    fn refreshed(clinic: &Clinic, observed: &Observed) -> RefreshedPlace {
        let values = clinic
            .slot
            .enrolled_values(&clinic.header, &clinic.key)
            .unwrap();
        refresh(&clinic.slot, &values, observed)
    }

    #[test]
    fn a_refresh_takes_the_new_router_and_keeps_the_silent_printer() {
        let clinic = clinic();
        let now = refreshed(&clinic, &seen([Some(NEW_ROUTER), None, Some(SWITCH)]));
        let outcomes: Vec<RefreshOutcome> =
            now.outcomes.iter().map(|(_, outcome)| *outcome).collect();
        assert_eq!(
            outcomes,
            [
                RefreshOutcome::Unchanged,
                RefreshOutcome::Updated,
                RefreshOutcome::Silent,
                RefreshOutcome::Unchanged
            ]
        );
        assert_eq!(now.updated(), 1);
        assert!(!now.is_elsewhere());
        let Clinic { key, header, slot } = &clinic;
        let name = "home".try_into().unwrap();
        let slot = enrol(header, key, 1, name, &now.chosen, slot.need, |_, _| ()).unwrap();
        assert_eq!(slot.factors, clinic.slot.factors);
        let opens = |neighbours| opens_again(header, &slot, &seen(neighbours));
        assert!(opens([Some(NEW_ROUTER), None, Some(SWITCH)]));
        assert!(
            opens([Some(NEW_ROUTER), Some(PRINTER), None]),
            "switched on"
        );
        assert!(!opens([Some(ROUTER), None, Some(SWITCH)]), "the old router");
    }

    #[test]
    fn another_place_is_not_the_same_one_with_something_replaced() {
        let clinic = clinic();
        let others = [[0, 0x26, 0xf2, 0, 0, 1], [0, 0x26, 0xf2, 0, 0, 2]];
        let now = refreshed(&clinic, &seen([Some(others[0]), Some(others[1]), None]));
        assert!(now.is_elsewhere());
    }

    #[test]
    fn one_box_that_answers_for_two_neighbours_is_not_taken_twice() {
        let clinic = clinic();
        let now = refreshed(&clinic, &seen([Some(SWITCH), Some(PRINTER), Some(SWITCH)]));
        assert!(matches!(now.outcomes[1].1, RefreshOutcome::Unsuitable(_)));
        assert_eq!(now.chosen[1].value, value(&ROUTER), "as it was enrolled");
        assert_eq!(now.updated(), 0);
    }

    #[test]
    fn no_neighbour_takes_a_value_that_another_one_keeps() {
        let clinic = clinic();
        // At the router's address a virtual machine, and the router at the printer's.
        let firewall = [0x52, 0x54, 0, 0, 0, 7];
        let now = refreshed(&clinic, &seen([Some(firewall), Some(ROUTER), Some(SWITCH)]));
        let values = now.chosen[1..].iter().map(|factor| &factor.value[..]);
        assert!(values.eq([&ROUTER[..], &PRINTER, &SWITCH]), "as before");
        assert_eq!(now.updated(), 0);
    }

    #[test]
    fn neighbours_that_swapped_addresses_are_taken_where_they_are() {
        let clinic = clinic();
        let now = refreshed(&clinic, &seen([Some(PRINTER), Some(ROUTER), None]));
        let outcomes = now.outcomes.iter().map(|(_, outcome)| *outcome);
        assert!(outcomes.eq([
            RefreshOutcome::Unchanged,
            RefreshOutcome::Moved,
            RefreshOutcome::Moved,
            RefreshOutcome::Silent
        ]));
        assert!(!now.is_elsewhere());
        assert_eq!((&now.chosen[1].value, now.updated()), (&value(&PRINTER), 2));
    }

    #[test]
    fn a_new_disk_is_taken_for_the_one_that_is_gone() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let disks = [("disk 1", &b"A"[..]), ("disk 2", b"C")];
        let factors = disks.map(|(label, serial)| (Group::Machine, label, value(serial)));
        let need = Thresholds {
            machine: 1,
            ..Thresholds::default()
        };
        let slot = test_slot(&header, &key, (0, "home"), factors, need);
        let clinic = Clinic { key, header, slot };
        let mut observed = Observed::default();
        for (label, serial) in [("disk 0000:03:00.0", b"C"), ("disk 0000:00:17.0", b"B")] {
            observed.note(&label.try_into().unwrap(), &value(serial));
        }
        let now = refreshed(&clinic, &observed);
        let outcomes = now.outcomes.iter().map(|(_, outcome)| *outcome);
        assert!(outcomes.eq([RefreshOutcome::Updated, RefreshOutcome::Unchanged]));
        let values = now.chosen.iter().map(|factor| factor.value[0]);
        assert!(values.eq(*b"BC"));

        // A card in its reader is none.
        let reader = "disk 0000:00:17.0".try_into().unwrap();
        observed.note_attachment(&reader, Attachment::MemoryCard);
        let now = refreshed(&clinic, &observed);
        let outcomes = now.outcomes.iter().map(|(_, outcome)| *outcome);
        assert!(outcomes.eq([RefreshOutcome::Silent, RefreshOutcome::Unchanged]));
    }

    #[test]
    fn a_key_servers_value_changes_only_by_update() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let label: Label = "tang 10.0.0.5:80".try_into().unwrap();
        let right = value(&[7; 32]);
        let router = neighbour(1);
        let factors = [
            (Group::Neighbours, router.as_str(), value(&ROUTER)),
            (Group::Servers, label.as_str(), right.clone()),
        ];
        let need = Thresholds {
            machine: 0,
            neighbours: 1,
            servers: 1,
        };
        let slot = test_slot(&header, &key, (0, "home"), factors, need);
        let clinic = Clinic { key, header, slot };
        let with = |router: [u8; 6], said: &Value| {
            let mut observed = seen([Some(router), None, None]);
            observed.note(&label, said);
            refreshed(&clinic, &observed)
        };
        // The router was replaced: the key server says that this is home.
        let now = with(NEW_ROUTER, &right);
        assert!(!now.is_elsewhere());
        assert_eq!(
            (now.outcomes[0].1, now.outcomes[1].1),
            (RefreshOutcome::Updated, RefreshOutcome::Unchanged)
        );
        // Another one answers: its value is not taken for the enrolled one.
        let mut now = with(ROUTER, &value(b"unknown key"));
        assert_eq!(now.outcomes[1].1, RefreshOutcome::Silent);
        assert_eq!(
            (now.chosen[1].value.clone(), now.updated()),
            (right.clone(), 0)
        );
        assert!(with(NEW_ROUTER, &value(b"unknown key")).is_elsewhere());
        let new = value(&[8; 32]);
        now.update(&label, &new);
        assert_eq!((now.chosen[1].value.clone(), now.updated()), (new, 1));
    }
}
