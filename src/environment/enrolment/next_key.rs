//! The places and people of a server, for its next master key: from what the vault has
//! sealed, so that nobody has to be asked and nothing has to be observed. Pure.

use super::enrol::{ChosenFactor, enrol};
use crate::keys::MasterKey;
use crate::vault::{EnvironmentSlot, Header, SlotTable};

/// The slots for the next master key.
pub struct NextSlots {
    /// Places and people.
    pub table: SlotTable,
    /// Names of the places whose enrolled values cannot be read: they are not in it.
    pub lost_places: Vec<String>,
}

/// Enrols every place anew with the values that are sealed in its slot, and wraps the
/// next master key for every person. Costs what enrolling costs: one scrypt (32 MiB, tens
/// of milliseconds) for each row and each witness without a key server. `progress` is
/// called with the number of combinations of a place that are done, and of all of its.
pub fn slots_for_next_key(
    table: &SlotTable,
    old: (&Header, &MasterKey),
    next: (&Header, &MasterKey),
    mut progress: impl FnMut(usize, usize),
) -> NextSlots {
    let mut slots = NextSlots {
        table: SlotTable {
            next_id: table.next_id,
            passphrases: table.passphrases.under_next_key(old, next),
            ..SlotTable::default()
        },
        lost_places: Vec::new(),
    };
    for slot in &table.environments {
        match place(slot, old, next, &mut progress) {
            Some(place) => slots.table.environments.extend([Box::new(place)]),
            None => slots.lost_places.push(slot.name.to_string()),
        }
    }
    slots
}

fn place(
    slot: &EnvironmentSlot,
    (header, key): (&Header, &MasterKey),
    (next_header, next_key): (&Header, &MasterKey),
    progress: impl FnMut(usize, usize),
) -> Option<EnvironmentSlot> {
    let values = slot.enrolled_values(header, key).ok()?;
    let factors = slot.factors.iter().zip(values);
    let chosen: Vec<ChosenFactor> = factors
        .map(|(factor, value)| ChosenFactor {
            group: factor.group,
            label: factor.label.clone(),
            value,
        })
        .collect();
    let name = slot.name.clone();
    let enrolled = enrol(
        next_header,
        next_key,
        slot.id,
        name,
        &chosen,
        slot.need,
        progress,
    );
    Some(EnvironmentSlot {
        servers: slot.servers.clone(),
        addresses: slot.addresses.clone(),
        ..enrolled.ok()?
    })
}

#[cfg(test)]
mod tests {
    use super::super::{opens_again, test_slot};
    use super::*;
    use crate::environment::factors::{HOME, Observed};
    use crate::keys::{CheapFactors, Keyring};
    use crate::vault::{Group, Label, NextGeneration, Thresholds, Value};

    const FACTORS: [(Group, &str); 4] = [
        (Group::Machine, "board"),
        (Group::Neighbours, "arp 10.0.0.1"),
        (Group::Neighbours, "arp 10.0.0.2"),
        (Group::Servers, "tang 10.0.0.9:80"),
    ];
    const NEED: Thresholds = Thresholds {
        machine: 1,
        neighbours: 1,
        servers: 1,
    };

    fn value(label: &str) -> Value {
        Value::from_slice(label.as_bytes()).unwrap()
    }

    fn at_home() -> Observed {
        let mut observed = Observed::default();
        for (_, label) in FACTORS {
            observed.note(&Label::try_from(label).unwrap(), &value(label));
        }
        observed
    }

    /// A place with a key server, before and after.
    struct Home {
        header: Header,
        keys: Keyring,
        table: SlotTable,
    }

    fn home() -> Home {
        let keys = Keyring::of_one(1, MasterKey::generate());
        let header = Header::of_a_new_server(keys.current());
        let factors = FACTORS.map(|(group, label)| (group, label, value(label)));
        let slot = test_slot(&header, keys.current(), (4, HOME), factors, NEED);
        let mut table = SlotTable {
            next_id: 9,
            ..SlotTable::default()
        };
        table.environments.extend([Box::new(slot)]);
        Home {
            header,
            keys,
            table,
        }
    }

    #[test]
    fn the_same_place_opens_the_next_key_with_its_key_server() {
        let _cheap = CheapFactors::begin();
        let Home {
            header,
            keys,
            table,
        } = home();
        let next = NextGeneration::of(&header, &keys).unwrap();
        let old = (&header, keys.current());
        let slots = slots_for_next_key(&table, old, (&next.header, next.key()), |_, _| ());
        assert!(slots.lost_places.is_empty() && slots.table.next_id == 9);
        let (was, is) = (&table.environments[0], &slots.table.environments[0]);
        assert_eq!((was.id, &was.name, was.need), (is.id, &is.name, is.need));
        assert_eq!((&was.factors, &was.servers), (&is.factors, &is.servers));
        assert!(opens_again(&next.header, is, &at_home()));
        assert!(!opens_again(&header, is, &at_home()));
        let values = is.enrolled_values(&next.header, next.key()).unwrap();
        assert!(
            values
                .iter()
                .eq(FACTORS.map(|(_, label)| value(label)).iter())
        );
        // The earlier key reads nothing of it.
        assert!(is.enrolled_values(&next.header, keys.current()).is_err());
        assert!(is.enrolled_values(&header, keys.current()).is_err());
    }

    #[test]
    fn a_place_whose_values_are_lost_is_named() {
        let _cheap = CheapFactors::begin();
        let Home {
            header,
            keys,
            mut table,
        } = home();
        table.environments[0].enrolled.bytes[0] ^= 1;
        let next = NextGeneration::of(&header, &keys).unwrap();
        let old = (&header, keys.current());
        let slots = slots_for_next_key(&table, old, (&next.header, next.key()), |_, _| ());
        assert_eq!(slots.lost_places, [HOME]);
        assert!(slots.table.environments.is_empty());
    }
}
