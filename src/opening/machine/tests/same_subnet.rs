//! Two enrolled places whose routers have given out the same private addresses.

use super::clinic::Clinic;
use super::repairs::{asks, of_group, opens, resets_at_the_third, strikes};
use crate::vault::{Group, Thresholds};

const MACHINE: [(&str, &str); 2] = [("board", "CZ1234"), ("processor", "Some CPU")];
const HOME: [(&str, &str); 3] = [
    ("arp 192.168.1.1", "router"),
    ("arp 192.168.1.2", "printer"),
    ("arp 192.168.1.3", "switch"),
];
const SECOND: [(&str, &str); 2] = [
    ("arp 192.168.1.1", "second router"),
    ("arp 192.168.1.20", "second printer"),
];

fn clinic() -> Clinic {
    let need = Thresholds {
        machine: 2,
        neighbours: 2,
        servers: 0,
    };
    let place = |around: &[(&'static str, &str)]| {
        let machine = of_group(Group::Machine, &MACHINE);
        [machine, of_group(Group::Neighbours, around)].concat()
    };
    let (home, second) = (place(&HOME), place(&SECOND));
    let policy = resets_at_the_third();
    Clinic::of(policy, &[(&home, need), (&second, need)]).with_listed_stick()
}

/// A phone that was given the address of the second place's printer.
const PHONE: (&str, &str) = ("arp 192.168.1.20", "phone");

#[test]
fn either_place_opens_beside_strangers_at_its_addresses() {
    opens(&mut clinic(), &[HOME[0], HOME[1], HOME[2], PHONE]);
    opens(
        &mut clinic(),
        &[SECOND[0], SECOND[1], (HOME[1].0, "a laptop")],
    );
}

#[test]
fn a_half_silent_home_is_no_strange_second_place() {
    // After a power cut: printer and switch are still off.
    let words = "This server has not found its place so far.";
    asks(&mut clinic(), &[HOME[0], PHONE], words);
    // At the second place, its printer is off.
    let around = [SECOND[0], (HOME[1].0, "a laptop"), (HOME[2].0, "a camera")];
    asks(&mut clinic(), &around, words);
}

#[test]
fn a_changed_machine_at_home_is_no_strike_for_the_second_place() {
    let mut clinic = clinic();
    clinic.machine = super::repairs::answers(&[("board", "CZ9999"), MACHINE[1]]);
    let changed = "This is its place, but parts of this machine are not";
    asks(&mut clinic, &[HOME[0], HOME[1], HOME[2], PHONE], changed);
}

#[test]
fn a_foreign_place_where_all_are_others_is_a_strike() {
    let around = [
        (HOME[0].0, "one"),
        (HOME[1].0, "two"),
        (HOME[2].0, "three"),
        PHONE,
    ];
    strikes(&mut clinic(), &around);
}
