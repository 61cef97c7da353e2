//! Taking an enrolled place as it is now: the same factors, with today's
//! values where they have changed. Pure.

use super::binding::{Refused, suits_enrolment};
use super::enrol::Chosen;
use crate::environment::factors::{Observed, is_server};
use crate::vault::{Answered, EnvironmentSlot, Group, Label, Value};

/// What becomes of one factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// As it was enrolled.
    Same,
    /// It has changed; today's value is taken.
    Taken,
    /// It did not answer, and stays as it was enrolled.
    Silent,
    /// What answers today does not bind: it stays as it was enrolled.
    Refused(Refused),
}

/// The place as it would be enrolled, and why so, factor by factor.
pub struct Refreshed {
    /// The factors of the slot, with the values that would be enrolled.
    pub chosen: Vec<Chosen>,
    /// What becomes of each factor, in the order of the slot.
    pub fates: Vec<(Label, Fate)>,
}

/// `enrolled` are the values of the slot's factors, in their order.
pub fn refresh(slot: &EnvironmentSlot, enrolled: &[Value], observed: &Observed) -> Refreshed {
    let factors = || slot.factors.iter().zip(enrolled);
    let is_new =
        |label: &Label, value: &Value| observed.value(label).is_some_and(|now| now != value);
    // Those that stay must not be taken a second time.
    let mut neighbours: Vec<Value> = factors()
        .filter(|(factor, value)| factor.group == Group::Place && !is_new(&factor.label, value))
        .map(|(_, value)| value.clone())
        .collect();
    let mut refreshed = Refreshed {
        chosen: Vec::new(),
        fates: Vec::new(),
    };
    for (factor, value) in factors() {
        let (fate, value) = match observed.value(&factor.label) {
            None => (Fate::Silent, value),
            Some(now) if now == value => (Fate::Same, value),
            // What another server says of a key that it does not have is no
            // value to enrol; a new key of the same one is another matter.
            Some(_) if is_server(&factor.label) => (Fate::Silent, value),
            Some(now) if factor.group == Group::Machine => (Fate::Taken, now),
            Some(now) => match suits_enrolment(&factor.label, now, &neighbours) {
                Ok(()) => {
                    neighbours.push(now.clone());
                    (Fate::Taken, now)
                }
                Err(why) => (Fate::Refused(why), value),
            },
        };
        refreshed.fates.push((factor.label.clone(), fate));
        refreshed.chosen.push(Chosen {
            group: factor.group,
            label: factor.label.clone(),
            value: value.clone(),
        });
    }
    refreshed
}

impl Refreshed {
    /// Takes this value for a factor, which somebody has made sure of.
    pub fn take(&mut self, label: &Label, value: &Value) {
        for (factor, (_, fate)) in self.chosen.iter_mut().zip(&mut self.fates) {
            if factor.label == *label {
                factor.value.clone_from(value);
                *fate = Fate::Taken;
            }
        }
    }

    /// How many values are taken as they are today.
    pub fn taken(&self) -> u8 {
        let taken = self.fates.iter().filter(|(_, fate)| *fate == Fate::Taken);
        taken.count().try_into().unwrap_or(u8::MAX)
    }

    fn count(&self, counts: impl Fn(Fate) -> bool) -> Answered {
        let factors = self.chosen.iter().zip(&self.fates);
        factors
            .map(|(factor, (_, fate))| (factor.group, counts(*fate)))
            .collect()
    }

    /// Neighbours are enrolled, and none of them is here as it was: this is
    /// another place, not the same one with something replaced.
    pub fn is_elsewhere(&self) -> bool {
        let same = self.count(|fate| fate == Fate::Same);
        same.place_of > 0 && same.place == 0 && same.servers == 0
    }

    /// What is as it will be enrolled.
    pub fn same_afterwards(&self) -> Answered {
        self.count(|fate| matches!(fate, Fate::Same | Fate::Taken))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{enrol, opens_again};
    use super::*;
    use crate::environment::factors::neighbour_label;
    use crate::environment::matching::enrolled_values;
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
        observed.note(&"board-serial".try_into().unwrap(), &value(b"123"));
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
        let chosen: Vec<Chosen> = home
            .iter()
            .map(|(label, value)| Chosen {
                group: match label.starts_with("arp") {
                    true => Group::Place,
                    false => Group::Machine,
                },
                label: label.clone(),
                value: value.clone(),
            })
            .collect();
        let need = Thresholds {
            machine: 1,
            place: 2,
            ..Thresholds::default()
        };
        let name = "home".try_into().unwrap();
        let slot = enrol(&header, &key, 0, name, &chosen, need, |_, _| ()).unwrap();
        Clinic { key, header, slot }
    }

    fn refreshed(clinic: &Clinic, observed: &Observed) -> Refreshed {
        let values = enrolled_values(&clinic.header, &clinic.slot, &clinic.key).unwrap();
        refresh(&clinic.slot, &values, observed)
    }

    #[test]
    fn after_a_refresh_the_new_router_counts_and_the_printer_that_is_off_is_not_forgotten() {
        let clinic = clinic();
        let now = refreshed(&clinic, &seen([Some(NEW_ROUTER), None, Some(SWITCH)]));
        let fates: Vec<Fate> = now.fates.iter().map(|(_, fate)| *fate).collect();
        assert_eq!(fates, [Fate::Same, Fate::Taken, Fate::Silent, Fate::Same]);
        assert_eq!(now.taken(), 1);
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
        assert!(matches!(now.fates[1].1, Fate::Refused(_)));
        assert_eq!(now.chosen[1].value, value(&ROUTER), "as it was enrolled");
        assert_eq!(now.taken(), 0);
    }

    #[test]
    fn a_key_server_is_only_taken_anew_when_somebody_has_made_sure_of_it() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let label: Label = "tang 10.0.0.5:80".try_into().unwrap();
        let right = value(&[7; 32]);
        let chosen = [
            (Group::Place, neighbour(1), value(&ROUTER)),
            (Group::Servers, label.clone(), right.clone()),
        ]
        .map(|(group, label, value)| Chosen {
            group,
            label,
            value,
        });
        let need = Thresholds {
            machine: 0,
            place: 1,
            servers: 1,
        };
        let name = "home".try_into().unwrap();
        let slot = enrol(&header, &key, 0, name, &chosen, need, |_, _| ()).unwrap();
        let clinic = Clinic { key, header, slot };
        let with = |router: [u8; 6], said: &Value| {
            let mut observed = seen([Some(router), None, None]);
            observed.note(&label, said);
            refreshed(&clinic, &observed)
        };
        // The router was replaced: the key server says that this is home.
        let now = with(NEW_ROUTER, &right);
        assert!(!now.is_elsewhere());
        assert_eq!((now.fates[0].1, now.fates[1].1), (Fate::Taken, Fate::Same));
        // Another one answers: its value is not taken for the enrolled one.
        let mut now = with(ROUTER, &value(b"unknown key"));
        assert_eq!(now.fates[1].1, Fate::Silent);
        assert_eq!(
            (now.chosen[1].value.clone(), now.taken()),
            (right.clone(), 0)
        );
        assert!(with(NEW_ROUTER, &value(b"unknown key")).is_elsewhere());
        let new = value(&[8; 32]);
        now.take(&label, &new);
        assert_eq!((now.chosen[1].value.clone(), now.taken()), (new, 1));
    }
}
