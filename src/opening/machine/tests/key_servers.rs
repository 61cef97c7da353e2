//! Key servers that have lost their keys, at home and elsewhere.

use super::clinic::Clinic;
use super::repairs::{asks, of_group, opens, resets_at_the_third, strikes};
use crate::vault::{Group, Thresholds};

const MACHINE: [(&str, &str); 2] = [("board", "CZ1234"), ("processor", "Some CPU")];
const HOME: [(&str, &str); 3] = [
    ("arp 10.0.0.1", "router"),
    ("arp 10.0.0.2", "printer"),
    ("arp 10.0.0.3", "switch"),
];
const SERVER: (&str, &str) = ("tang 10.0.0.9:80", "its value");
/// Status 404, from the key server or a proxy.
const NOT_FOUND: (&str, &str) = (SERVER.0, "unknown key");
/// The point of another key.
const OTHER_POINT: (&str, &str) = (SERVER.0, "another value");
const LOST: &str = "This is its place, but a key server does not know the key";

fn clinic(neighbours: u8) -> Clinic {
    let need = Thresholds {
        machine: 2,
        neighbours,
        servers: 1,
    };
    let around = match neighbours {
        0 => Vec::new(),
        _ => of_group(Group::Neighbours, &HOME),
    };
    let machine = of_group(Group::Machine, &MACHINE);
    let factors = [machine, around, of_group(Group::Servers, &[SERVER])].concat();
    Clinic::of(resets_at_the_third(), &[(&factors, need)]).with_listed_stick()
}

fn with(server: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    [&HOME[..], &[server]].concat()
}

#[test]
fn a_key_server_without_its_key_is_no_strike_at_home() {
    opens(&mut clinic(2), &with(SERVER));
    for answer in [NOT_FOUND, OTHER_POINT] {
        asks(&mut clinic(2), &with(answer), LOST);
    }
}

#[test]
fn right_key_servers_and_neighbours_leave_only_the_machine() {
    let mut clinic = clinic(2);
    clinic.machine = super::repairs::answers(&[("board", "CZ9999"), MACHINE[1]]);
    let changed = "This is its place, but parts of this machine are not";
    asks(&mut clinic, &with(SERVER), changed);
}

#[test]
fn a_key_server_without_its_key_excuses_no_foreign_neighbours() {
    let others = [(HOME[0].0, "one"), (HOME[1].0, "two"), (HOME[2].0, "three")];
    for answer in [NOT_FOUND, OTHER_POINT, SERVER] {
        // The right one may be reached from anywhere.
        strikes(&mut clinic(2), &[&others[..], &[answer]].concat());
    }
}

#[test]
fn key_servers_alone_that_say_404_are_silent() {
    let silent = "The place is silent: 0 of 1 key server answers";
    asks(&mut clinic(0), &[NOT_FOUND], silent);
    strikes(&mut clinic(0), &[OTHER_POINT]);
    opens(&mut clinic(0), &[SERVER]);
}

#[test]
fn a_right_key_server_alone_leaves_only_the_machine() {
    let mut clinic = clinic(0);
    clinic.machine = super::repairs::answers(&[("board", "CZ9999"), MACHINE[1]]);
    let changed = "This is its place, but parts of this machine are not";
    asks(&mut clinic, &[SERVER], changed);
}
