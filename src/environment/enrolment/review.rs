//! What of an enrolled place would not be enrolled today. Pure.

use core::fmt;

use super::suitability::{UnsuitableNeighbour, check_suitability};
use crate::environment::factors::{Attachment, Observed, address_of};
use crate::vault::{EnvironmentSlot, Factor, Group, Label, Value};

/// Why a factor would not be enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    /// A part of the machine that may be gone at the next boot.
    Part(Attachment),
    /// A neighbour that does not bind the server to its place.
    Neighbour(UnsuitableNeighbour),
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(attachment) => attachment.fmt(f),
            Self::Neighbour(why) => why.fmt(f),
        }
    }
}

/// The factors of a place that are as they were enrolled and would not be enrolled
/// today. `enrolled` are their values, in the order of the slot.
pub fn unsuitable_today(
    slot: &EnvironmentSlot,
    enrolled: &[Value],
    observed: &Observed,
) -> Vec<(Label, Unsuitable)> {
    let factors = slot.factors.iter().zip(enrolled);
    let unsuitable = factors.filter_map(|(factor, value)| {
        let why = match factor.group {
            Group::Machine => part(value, observed).map(Unsuitable::Part),
            Group::Neighbours => neighbour(factor, value, observed).map(Unsuitable::Neighbour),
            Group::Servers => None,
        };
        Some((factor.label.clone(), why?))
    });
    unsuitable.collect()
}

/// A part may have been moved: its value says which it is.
fn part(enrolled: &Value, observed: &Observed) -> Option<Attachment> {
    let parts = observed.iter();
    let mut parts = parts.filter(|(label, _)| address_of(label).is_none());
    let (label, _) = parts.find(|(_, value)| *value == enrolled)?;
    Some(observed.attachment(label)).filter(|attachment| *attachment != Attachment::Lasting)
}

fn neighbour(
    factor: &Factor,
    enrolled: &Value,
    observed: &Observed,
) -> Option<UnsuitableNeighbour> {
    let mut heard = observed.values(&factor.label);
    heard.find(|value| *value == enrolled)?;
    check_suitability(&factor.label, observed, &[]).err()
}

#[cfg(test)]
mod tests {
    use super::super::test_slot;
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::{Header, Thresholds};

    const CARD: &str = "nic 0000:03:00.0";
    const VIRTUAL: &str = "nic 0000:03:10.0";
    const ROUTER: &str = "arp 192.168.1.1";
    const CONTROLLER: &str = "arp 169.254.3.1";

    /// Enrolled with each of these, which have their index as their last byte.
    const ENROLLED: [(Group, &str); 4] = [
        (Group::Machine, CARD),
        (Group::Machine, VIRTUAL),
        (Group::Neighbours, ROUTER),
        (Group::Neighbours, CONTROLLER),
    ];

    fn mac(last: u8) -> Value {
        Value::from_slice(&[0, 0x1b, 0x21, 0, 0, last]).unwrap()
    }

    fn label(text: &str) -> Label {
        text.try_into().unwrap()
    }

    fn at_home() -> Observed {
        let mut observed = Observed::default();
        for (n, (_, text)) in (0..).zip(ENROLLED) {
            observed.note(&label(text), &mac(n));
        }
        observed
    }

    fn found(observed: &Observed) -> Vec<(Label, Unsuitable)> {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let factors = (0..).zip(ENROLLED);
        let factors = factors.map(|(n, (group, text))| (group, text, mac(n)));
        let need = Thresholds {
            machine: 2,
            neighbours: 2,
            ..Thresholds::default()
        };
        let slot = test_slot(&header, &key, (0, "home"), factors, need);
        let enrolled = slot.enrolled_values(&header, &key).unwrap();
        unsuitable_today(&slot, &enrolled, observed)
    }

    #[test]
    fn a_place_enrolled_by_todays_rules_is_suitable() {
        assert_eq!(found(&at_home()), []);
    }

    #[test]
    fn what_was_enrolled_before_the_rules_is_named() {
        let mut observed = at_home();
        observed.note_attachment(&label(VIRTUAL), Attachment::VirtualFunction);
        observed.note_attachment(&label(CONTROLLER), Attachment::UsbNetwork);
        observed.note(&label(ROUTER), &mac(99));
        let neighbour = Unsuitable::Neighbour;
        let expected = [
            ("nic 2", Unsuitable::Part(Attachment::VirtualFunction)),
            (ROUTER, neighbour(UnsuitableNeighbour::SeveralAnswer)),
            (CONTROLLER, neighbour(UnsuitableNeighbour::InsideTheServer)),
        ];
        let expected = expected.map(|(text, why)| (label(text), why));
        assert_eq!(found(&observed), expected);
    }

    #[test]
    fn a_stranger_in_a_virtual_functions_place_is_not_meant() {
        let mut observed = Observed::default();
        observed.note(&label(VIRTUAL), &mac(99));
        observed.note_attachment(&label(VIRTUAL), Attachment::VirtualFunction);
        assert_eq!(found(&observed), []);
    }
}
