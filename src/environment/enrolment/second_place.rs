//! A second place beside the home, as for a server that spends half the year in
//! another clinic. There are two places at most, and the second must not be
//! easier to feign than the home.

use core::fmt;

use crate::environment::factors::HOME;
use crate::vault::{EnvironmentSlot, SlotTable};

/// Why a place cannot become the second one; shown to people as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondPlaceError {
    /// There is no home that it could stand beside.
    NoHome,
    /// It would need less than the home does.
    Weaker,
}

impl fmt::Display for SecondPlaceError {
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

/// Adds `slot` as the second place; it replaces an earlier second place. It
/// must need at least as many factors of each group as the home does, because a
/// thief takes the weaker place.
///
/// # Errors
/// [`SecondPlaceError`]; then the table is unchanged.
pub fn add_second_place(
    table: &mut SlotTable,
    slot: EnvironmentSlot,
) -> Result<(), SecondPlaceError> {
    let mut places = table.environments.iter();
    let home = places.find(|place| place.name == HOME);
    let need = home.ok_or(SecondPlaceError::NoHome)?.need;
    let is_weaker = slot.need.neighbours < need.neighbours
        || slot.need.machine < need.machine
        || slot.need.servers < need.servers;
    if is_weaker {
        return Err(SecondPlaceError::Weaker);
    }
    table.environments.retain(|place| place.name == HOME);
    table.next_id = slot.id.saturating_add(1);
    table.environments.extend([Box::new(slot)]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_slot;
    use super::*;
    use crate::environment::factors::SECOND;
    use crate::keys::MasterKey;
    use crate::vault::{Group, Header, Thresholds, Value};

    fn place(id: u32, name: &str, machine: u8, neighbours: u8) -> EnvironmentSlot {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let factor = |group, label: &'static str| {
            let value = Value::from_slice(label.as_bytes()).unwrap();
            (group, label, value)
        };
        let factors = [
            factor(Group::Machine, "a"),
            factor(Group::Machine, "b"),
            factor(Group::Neighbours, "arp 10.0.0.1"),
            factor(Group::Neighbours, "arp 10.0.0.2"),
        ];
        let need = Thresholds {
            machine,
            neighbours,
            ..Thresholds::default()
        };
        test_slot(&header, &key, (id, name), factors, need)
    }

    fn names(table: &SlotTable) -> Vec<&str> {
        let places = table.environments.iter();
        places.map(|place| place.name.as_str()).collect()
    }

    #[test]
    fn a_third_place_replaces_the_second_never_the_home() {
        let mut table = SlotTable::default();
        let nowhere = add_second_place(&mut table, place(0, SECOND, 2, 2));
        assert_eq!(nowhere, Err(SecondPlaceError::NoHome));
        table.environments.extend([Box::new(place(0, HOME, 2, 1))]);
        assert_eq!(add_second_place(&mut table, place(4, SECOND, 2, 1)), Ok(()));
        assert_eq!((names(&table), table.next_id), (vec![HOME, SECOND], 5));
        assert_eq!(add_second_place(&mut table, place(5, SECOND, 2, 2)), Ok(()));
        assert_eq!(names(&table), [HOME, SECOND]);
        assert_eq!(table.environments[1].id, 5);
    }

    #[test]
    fn a_place_that_is_easier_to_feign_than_the_home_is_refused() {
        let mut table = SlotTable::default();
        table.environments.extend([Box::new(place(0, HOME, 2, 2))]);
        for (machine, neighbours) in [(2, 1), (1, 2)] {
            let weaker = add_second_place(&mut table, place(1, SECOND, machine, neighbours));
            assert_eq!(weaker, Err(SecondPlaceError::Weaker));
            assert_eq!(names(&table), [HOME]);
        }
    }

    #[test]
    fn a_home_with_key_servers_takes_no_second_place_without() {
        let mut table = SlotTable::default();
        let mut home = place(0, HOME, 2, 2);
        home.need.servers = 1;
        table.environments.extend([Box::new(home)]);
        let weaker = add_second_place(&mut table, place(1, SECOND, 2, 2));
        assert_eq!(weaker, Err(SecondPlaceError::Weaker));
    }
}
