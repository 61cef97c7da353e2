//! A second place beside the home, as for a server that spends half the year
//! in another clinic. Two at most, and never one that is easier to feign.

use core::fmt;

use crate::environment::factors::HOME;
use crate::vault::{EnvironmentSlot, SlotTable};

/// Why a place does not become the second one; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSecondPlace {
    /// There is no home that it could stand beside.
    NoHome,
    /// It would need less than the home does.
    Weaker,
}

impl fmt::Display for NoSecondPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHome => "No home is enrolled that it could stand beside.",
            Self::Weaker => {
                "It would be easier to feign than the home: fewer neighbours, key servers or \
                 parts of the machine would be needed."
            }
        })
    }
}

/// Puts `slot` beside the home, and in place of an earlier second place. The
/// weakest place is as strong as the server is: so it must need as much.
///
/// # Errors
/// `NoSecondPlace`; nothing was changed then.
pub fn put_beside_home(table: &mut SlotTable, slot: EnvironmentSlot) -> Result<(), NoSecondPlace> {
    let mut places = table.environments.iter();
    let home = places.find(|place| place.name == HOME);
    let need = home.ok_or(NoSecondPlace::NoHome)?.need;
    let is_weaker = slot.need.place < need.place
        || slot.need.machine < need.machine
        || slot.need.servers < need.servers;
    if is_weaker {
        return Err(NoSecondPlace::Weaker);
    }
    table.environments.retain(|place| place.name == HOME);
    table.next_id = slot.id.saturating_add(1);
    table.environments.extend([Box::new(slot)]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Chosen, enrol};
    use super::*;
    use crate::environment::factors::SECOND;
    use crate::keys::MasterKey;
    use crate::vault::{Group, Header, MemoryDevice, ServerId, Thresholds, Value, Vault};

    fn header() -> (MasterKey, Header) {
        let key = MasterKey::generate();
        let (id, name) = (ServerId::random(), "clinic".try_into().unwrap());
        let made = Vault::create(
            MemoryDevice::default(),
            id,
            name,
            &key,
            &SlotTable::default(),
        );
        (key, made.unwrap().header().clone())
    }

    fn place(id: u32, name: &str, machine: u8, place: u8) -> EnvironmentSlot {
        let (key, header) = header();
        let factor = |group, label: &str| Chosen {
            group,
            label: label.try_into().unwrap(),
            value: Value::from_slice(label.as_bytes()).unwrap(),
        };
        let chosen = [
            factor(Group::Machine, "a"),
            factor(Group::Machine, "b"),
            factor(Group::Place, "arp 10.0.0.1"),
            factor(Group::Place, "arp 10.0.0.2"),
        ];
        let (name, need) = (
            name.try_into().unwrap(),
            Thresholds {
                machine,
                place,
                ..Thresholds::default()
            },
        );
        enrol(&header, &key, id, name, &chosen, need, |_, _| ()).unwrap()
    }

    fn names(table: &SlotTable) -> Vec<&str> {
        let places = table.environments.iter();
        places.map(|place| place.name.as_str()).collect()
    }

    #[test]
    fn a_second_place_never_takes_the_homes_place_and_a_third_takes_the_seconds() {
        let mut table = SlotTable::default();
        let nowhere = put_beside_home(&mut table, place(0, SECOND, 2, 2));
        assert_eq!(nowhere, Err(NoSecondPlace::NoHome));
        table.environments.extend([Box::new(place(0, HOME, 2, 1))]);
        assert_eq!(put_beside_home(&mut table, place(4, SECOND, 2, 1)), Ok(()));
        assert_eq!((names(&table), table.next_id), (vec![HOME, SECOND], 5));
        assert_eq!(put_beside_home(&mut table, place(5, SECOND, 2, 2)), Ok(()));
        assert_eq!(names(&table), [HOME, SECOND]);
        assert_eq!(table.environments[1].id, 5);
    }

    #[test]
    fn a_place_that_is_easier_to_feign_than_the_home_is_not_remembered() {
        let mut table = SlotTable::default();
        table.environments.extend([Box::new(place(0, HOME, 2, 2))]);
        for (machine, neighbours) in [(2, 1), (1, 2)] {
            let weaker = put_beside_home(&mut table, place(1, SECOND, machine, neighbours));
            assert_eq!(weaker, Err(NoSecondPlace::Weaker));
            assert_eq!(names(&table), [HOME]);
        }
    }

    #[test]
    fn a_place_without_key_servers_does_not_stand_beside_a_home_that_has_them() {
        let mut table = SlotTable::default();
        let mut home = place(0, HOME, 2, 2);
        home.need.servers = 1;
        table.environments.extend([Box::new(home)]);
        let weaker = put_beside_home(&mut table, place(1, SECOND, 2, 2));
        assert_eq!(weaker, Err(NoSecondPlace::Weaker));
    }
}
