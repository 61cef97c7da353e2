//! The thief of a server whose place has a key server.

use super::*;
use crate::environment::{TestPeer, enrol_with_server, factor_value};
use crate::vault::{Curve, KeyServer};

const SERVER: &str = "tang 192.168.77.9:80";

struct Bound {
    clinic: Clinic,
    peer: TestPeer,
    server: KeyServer,
    value: Value,
}

/// Two neighbours and a key server; `group` is where that one counts.
fn clinic(group: Group, need: Thresholds) -> Bound {
    let mut clinic = Clinic::needing(1);
    let peer = TestPeer::new(Curve::P256);
    let exchange = peer.key();
    let (ours, value) = enrol_with_server(&exchange).unwrap();
    let value = factor_value(&value);
    let server = KeyServer {
        address: "192.168.77.9:80".parse().unwrap(),
        exchange,
        ours,
        signing: heapless::Vec::new(),
    };
    let mut all = Vec::new();
    for (label, value) in &clinic.machine {
        let (label, value) = (label.clone(), value.clone());
        all.push((Group::Machine, label, value));
    }
    all.push((Group::Neighbours, neighbour(0), super::value(&ROUTER)));
    all.push((group, SERVER.try_into().unwrap(), value.clone()));
    let chosen: Vec<ChosenFactor> = all
        .into_iter()
        .map(|(group, label, value)| ChosenFactor {
            group,
            label,
            value,
        })
        .collect();
    clinic.change(|vault, key| {
        let id = vault.slots().unwrap().next_id;
        let name = "home".try_into().unwrap();
        let mut slot = enrol(vault.header(), key, id, name, &chosen, need, |_, _| ()).unwrap();
        slot.servers.extend([server.clone()]);
        let table = table_with_place(slot, Passphrases::default());
        vault.replace_slots(key, &table).unwrap();
    });
    Bound {
        clinic,
        peer,
        server,
        value,
    }
}

fn seen(bound: &Bound, value: &[u8]) -> Observed {
    let mut observed = bound.clinic.seen_with(&[(0, ROUTER)]);
    observed.note(&SERVER.try_into().unwrap(), &super::value(value));
    observed
}

#[test]
fn all_but_the_key_servers_secret_opens_nothing() {
    let need = Thresholds {
        machine: 2,
        neighbours: 1,
        servers: 1,
    };
    let bound = clinic(Group::Servers, need);
    let disk = &bound.clinic.disk;
    // All that is public, as it is and hashed; and what another server says.
    let KeyServer { exchange, ours, .. } = &bound.server;
    let other = TestPeer::new(Curve::P256);
    let (_, of_other) = enrol_with_server(&other.key()).unwrap();
    let guesses: [&[u8]; 5] = [
        &exchange.point[1..33],
        &ours[1..33],
        &other.answer(ours).point[1..33],
        of_other.expose(),
        b"unknown key",
    ];
    for guess in guesses {
        assert!(open_slots(disk, &seen(&bound, guess)).is_none());
    }
    assert!(open_slots(disk, &bound.clinic.seen_with(&[(0, ROUTER)])).is_none());
    let facts = bound.clinic.facts();
    assert_eq!(coverage(&facts, Threat::Server), Coverage::Covered);
    assert_eq!(coverage(&facts, Threat::Disk), Coverage::Covered);
    // What is called covered is opened by the server's own answer alone.
    let key = open_slots(disk, &seen(&bound, &bound.value));
    assert!(bound.clinic.is_had_by(key.as_ref()));
    assert_eq!(
        coverage(&facts, Threat::ServerAndNeighbours),
        Coverage::NotCovered
    );
    // The secret is nowhere on the disk, nor what is made with it.
    let vault = vault(disk);
    let slots = vault.slots().unwrap();
    let mut table = vec![0; 128 * 1024];
    postcard::to_slice(&*slots, &mut table).unwrap();
    let holds = |bytes: &[u8]| table.windows(bytes.len()).any(|part| part == bytes);
    assert!(holds(&exchange.point), "the search finds what is there");
    assert!(!holds(&bound.value));
    assert!(!holds(&bound.peer.answer(ours).point[1..33]));
}

#[test]
fn key_server_among_neighbours_covers_nothing() {
    let need = Thresholds {
        machine: 2,
        neighbours: 1,
        servers: 0,
    };
    let bound = clinic(Group::Neighbours, need);
    let key = open_slots(&bound.clinic.disk, &bound.clinic.seen_with(&[(0, ROUTER)]));
    assert!(bound.clinic.is_had_by(key.as_ref()));
    for threat in [Threat::Server, Threat::Disk, Threat::ServerAndNeighbours] {
        assert_ne!(coverage(&bound.clinic.facts(), threat), Coverage::Covered);
    }
}
