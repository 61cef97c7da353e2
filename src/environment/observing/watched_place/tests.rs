//! Who is watched, and what their answers count for.

use super::*;
use crate::environment::enrolment::test_slot;
use crate::environment::factors::UNKNOWN_KEY;
use crate::environment::tang::{
    TestPeer, answering_with, answering_with_another_key, enrol_with_server, factor_value,
    serve_each,
};
use crate::keys::CheapFactors;
use crate::vault::Curve;
use crate::vault::Thresholds;
use core::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const MACS: [[u8; 6]; 3] = [
    [0, 13, 185, 1, 1, 1],
    [0, 17, 50, 2, 2, 2],
    [0, 42, 244, 3, 3, 3],
];

fn answer(last: u8, mac: [u8; 6]) -> (Label, Value) {
    let label = format!("arp 192.168.77.{last}")
        .as_str()
        .try_into()
        .unwrap();
    (label, Value::from_slice(&mac).unwrap())
}

fn home() -> [(Label, Value); 3] {
    [1, 2, 3].map(|last| answer(last, MACS[usize::from(last) - 1]))
}

/// A clinic's place: two of three neighbours, and a part of the machine.
fn slot() -> (Header, MasterKey, EnvironmentSlot) {
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let uuid = Value::from_slice(&[7; 16]).unwrap();
    let home = home();
    let neighbours = home.iter();
    let neighbours =
        neighbours.map(|(label, mac)| (Group::Neighbours, label.as_str(), mac.clone()));
    let factors = [(Group::Machine, "board", uuid)]
        .into_iter()
        .chain(neighbours);
    let need = Thresholds {
        machine: 1,
        neighbours: 2,
        ..Thresholds::default()
    };
    let slot = test_slot(&header, &key, (0, "home"), factors, need);
    (header, key, slot)
}

fn counts(watched: &WatchedPlace, answers: &[(Label, Value)]) -> (u8, u8, u8) {
    let mut heard = watched.heard_nothing();
    watched.note(&mut heard, answers);
    let Sample {
        matched,
        different,
        silent,
        ..
    } = watched.count_answers(&heard, Cables::Up);
    (matched, different, silent)
}

#[test]
fn the_neighbours_of_the_place_are_told_from_others() {
    let (header, key, slot) = slot();
    let watched = WatchedPlace::enrolled(&header, &slot, &key).unwrap();
    assert_eq!((watched.count(), watched.need()), (3, 2));
    let strange = [9; 6];
    assert_eq!(counts(&watched, &home()), (3, 0, 0));
    assert_eq!(counts(&watched, &[]), (0, 0, 3));
    assert_eq!(
        counts(&watched, &[answer(1, strange), answer(2, MACS[1])]),
        (1, 1, 1)
    );
    // Somebody who answers in its place does not make it go away.
    let both = [answer(1, MACS[0]), answer(1, strange)];
    assert_eq!(counts(&watched, &both), (1, 0, 2));
    // An address that was not asked.
    assert_eq!(counts(&watched, &[answer(4, MACS[0])]), (0, 0, 3));
    // Addresses that DHCP has swapped.
    let swapped = [answer(1, MACS[1]), answer(2, MACS[0])];
    assert_eq!(counts(&watched, &swapped), (2, 0, 1));
}

/// A place of neighbours and one key server.
fn slot_with_server(neighbours: u8, servers: u8) -> (Header, MasterKey, EnvironmentSlot) {
    let _cheap = CheapFactors::begin();
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let home = home();
    let around = home
        .iter()
        .map(|(label, mac)| (Group::Neighbours, label.as_str(), mac.clone()));
    let rest = [
        (
            Group::Machine,
            "board",
            Value::from_slice(&[7; 16]).unwrap(),
        ),
        (Group::Servers, TANG, Value::from_slice(&[8; 32]).unwrap()),
    ];
    let need = Thresholds {
        machine: 1,
        neighbours,
        servers,
    };
    let slot = test_slot(&header, &key, (0, "home"), around.chain(rest), need);
    (header, key, slot)
}

const TANG: &str = "tang 10.0.0.9:7500";

#[test]
fn key_servers_count_only_where_no_neighbour_is_needed() {
    let watched = |neighbours, servers| {
        let (header, key, slot) = slot_with_server(neighbours, servers);
        let watched = WatchedPlace::enrolled(&header, &slot, &key).unwrap();
        (Watched::at(&slot), watched.count())
    };
    assert_eq!(watched(2, 1), (Some(Watched::Neighbours), 3));
    assert_eq!(watched(0, 1), (Some(Watched::KeyServers), 1));
    // One that is enrolled and not needed tells of no theft.
    let (.., slot) = slot_with_server(1, 0);
    let unneeded = EnvironmentSlot {
        need: Thresholds {
            machine: 1,
            ..Thresholds::default()
        },
        ..slot.clone()
    };
    assert_eq!(Watched::at(&unneeded), None);
    let mut nobody = slot;
    nobody.factors.clear();
    assert_eq!(Watched::at(&nobody), None);
}

#[test]
fn key_that_a_server_does_not_know_is_silence() {
    let (header, key, slot) = slot_with_server(0, 1);
    let watched = WatchedPlace::enrolled(&header, &slot, &key).unwrap();
    let says = |value: &[u8]| {
        let label = TANG.try_into().unwrap();
        counts(&watched, &[(label, Value::from_slice(value).unwrap())])
    };
    assert_eq!(says(UNKNOWN_KEY), (0, 0, 1));
    assert_eq!(says(&[9; 32]), (0, 1, 0));
    assert_eq!(says(&[8; 32]), (1, 0, 0));
}

#[test]
fn only_the_key_tells_what_is_enrolled() {
    let (header, _, slot) = slot();
    let other = MasterKey::generate();
    assert!(WatchedPlace::enrolled(&header, &slot, &other).is_err());
}

#[test]
fn opened_elsewhere_with_a_stick_it_watches_what_is_there() {
    let (.., slot) = slot();
    let mut observed = Observed::default();
    let strange = answer(1, [9; 6]);
    observed.note(&strange.0, &strange.1);
    // A key server has no value that it would have again.
    let tang: Label = TANG.try_into().unwrap();
    observed.note(&tang, &Value::from_slice(&[8; 32]).unwrap());
    let factors = slot.factors.iter().map(|factor| &factor.label);
    let labels = || factors.clone().chain([&tang]);
    let watched = WatchedPlace::as_found(labels(), 2, &observed);
    assert_eq!((watched.count(), watched.need()), (1, 1));
    assert_eq!(counts(&watched, &[strange]), (1, 0, 0));
    assert_eq!(counts(&watched, &[answer(1, MACS[0])]), (0, 1, 0));
    let nobody = WatchedPlace::as_found(labels(), 2, &Observed::default());
    assert_eq!((nobody.count(), nobody.need()), (0, 0));
}

/// A place that needs one key server and no neighbour, and what the one at
/// `address` answers there.
fn sample_of_key_server(peer: &TestPeer, address: SocketAddr) -> Sample {
    let _cheap = CheapFactors::begin();
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let (ours, value) = enrol_with_server(&peer.key()).unwrap();
    let label = server_label(address, "home");
    let uuid = Value::from_slice(&[7; 16]).unwrap();
    let factors = [
        (Group::Machine, "board", uuid),
        (Group::Servers, label.as_str(), factor_value(&value)),
    ];
    let need = Thresholds {
        machine: 1,
        servers: 1,
        ..Thresholds::default()
    };
    let mut slot = test_slot(&header, &key, (0, "home"), factors, need);
    let server = KeyServer {
        address,
        exchange: peer.key(),
        ours,
        signing: Vec::new(),
    };
    assert!(slot.servers.push(server).is_ok());
    assert_eq!(Watched::at(&slot), Some(Watched::KeyServers));
    let watched = WatchedPlace::enrolled(&header, &slot, &key).unwrap();
    assert_eq!((watched.who, watched.need()), (Watched::KeyServers, 1));
    watched.sample()
}

#[test]
fn a_place_of_key_servers_alone_is_watched() {
    let peer = Arc::new(TestPeer::new(Curve::P521));
    let counts = |address| {
        let sample = sample_of_key_server(&peer, address);
        (sample.matched, sample.different, sample.silent)
    };
    assert_eq!(counts(answering_with(peer.clone())), (1, 0, 0));
    assert_eq!(counts(answering_with_another_key()), (0, 1, 0));
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    assert_eq!(counts(nobody), (0, 0, 1));
}

#[test]
fn a_key_server_gets_one_request_a_look_whatever_it_says() {
    let peer = TestPeer::new(Curve::P521);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let hangs_up = serve_each(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(sample_of_key_server(&peer, hangs_up).silent, 1);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
