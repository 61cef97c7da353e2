//! Scenarios of enrolling and recognising a place: what opens and what stays
//! shut.

use super::factors::value_of;
use super::*;
use crate::keys::{CheapFactors, CheckValue, MasterKey};
use crate::vault::{EnvironmentSlot, Group, Header, Label, Thresholds};

const MACHINE: [(&str, &[u8]); 3] = [
    ("board", b"4c4c4544"),
    ("nic 0000:00:03.0", b"\x00\x1b\x21\x01\x02\x03"),
    ("disk 0000:00:04.0", b"WD-12345"),
];
const PLACE: [(&str, &[u8]); 3] = [
    ("arp 192.168.1.1", b"\x00\x1b\x21\x10\x00\x01"),
    ("arp 192.168.1.2", b"\x00\x1b\x21\x10\x00\x02"),
    ("arp 192.168.1.3", b"\x00\x1b\x21\x10\x00\x03"),
];

struct Server {
    header: Header,
    key: MasterKey,
    slot: EnvironmentSlot,
    _cheap: CheapFactors,
}

fn server_with<'a>(
    factors: impl IntoIterator<Item = (Group, &'a str, &'a [u8])>,
    need: Thresholds,
) -> Server {
    let cheap = CheapFactors::begin();
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let factors = factors.into_iter();
    let factors = factors.map(|(group, label, value)| (group, label, value_of(value)));
    let slot = test_slot(&header, &key, (1, "home"), factors, need);
    Server {
        header,
        key,
        slot,
        _cheap: cheap,
    }
}

/// A server that needs two of three parts and two of three neighbours.
fn enrolled() -> Server {
    let of = |group, factors: [(&'static str, &'static [u8]); 3]| {
        factors.map(|(label, value)| (group, label, value))
    };
    let machine = of(Group::Machine, MACHINE);
    let neighbours = of(Group::Neighbours, PLACE);
    let need = Thresholds {
        machine: 2,
        neighbours: 2,
        ..Thresholds::default()
    };
    server_with(machine.into_iter().chain(neighbours), need)
}

fn seen(parts: &[(&str, &[u8])]) -> Observed {
    let mut observed = Observed::default();
    for (label, value) in parts {
        observed.note(&(*label).try_into().unwrap(), &value_of(value));
    }
    observed
}

/// Tries all combinations as they were enrolled; returns the key and the number of
/// tries.
fn unlock(server: &Server, observed: &Observed) -> (Option<MasterKey>, usize) {
    let mut matcher = Matcher::new(&server.slot);
    try_all(server, &mut matcher, observed, Arrangements::Enrolled)
}

fn try_all(
    server: &Server,
    matcher: &mut Matcher,
    observed: &Observed,
    arrangements: Arrangements,
) -> (Option<MasterKey>, usize) {
    let Server { header, slot, .. } = server;
    let mut tries = 0;
    while matcher.has_next(slot, observed, arrangements) {
        tries += 1;
        if let Some(key) = matcher.try_next(header, slot, observed, arrangements) {
            return (Some(key), tries);
        }
    }
    (None, tries)
}

#[test]
fn at_home_the_first_try_opens() {
    let server = enrolled();
    let (key, tries) = unlock(&server, &seen(&[MACHINE, PLACE].concat()));
    assert_eq!(key.unwrap().expose(), server.key.expose());
    assert_eq!(tries, 1);
}

#[test]
fn a_new_network_card_and_a_silent_printer_lock_nobody_out() {
    let server = enrolled();
    let parts = [
        MACHINE[0],
        (MACHINE[1].0, b"other!"),
        MACHINE[2],
        PLACE[0],
        PLACE[2],
    ];
    assert!(unlock(&server, &seen(&parts)).0.is_some());
}

#[test]
fn the_same_machine_among_other_neighbours_stays_locked() {
    let server = enrolled();
    let foreign = PLACE.map(|(label, _)| (label, &b"\x00\x1b\x21\x99\x99\x99"[..]));
    let (key, tries) = unlock(&server, &seen(&[MACHINE, foreign].concat()));
    assert!(key.is_none());
    assert_eq!(tries, 9, "every combination was tried");
}

#[test]
fn one_right_neighbour_of_the_two_needed_is_not_enough() {
    let server = enrolled();
    let (key, tries) = unlock(&server, &seen(&[&MACHINE[..], &PLACE[..1]].concat()));
    assert!(key.is_none());
    assert_eq!(tries, 0, "nothing can be tried");
}

#[test]
fn another_machine_at_the_same_place_stays_locked() {
    let server = enrolled();
    let other = MACHINE.map(|(label, _)| (label, &b"another"[..]));
    assert!(unlock(&server, &seen(&[other, PLACE].concat())).0.is_none());
}

#[test]
fn a_late_neighbour_is_enough_and_nothing_is_tried_twice() {
    let server = enrolled();
    let mut observed = seen(&[&MACHINE[..], &[PLACE[0], (PLACE[1].0, b"wrong!")]].concat());
    let mut matcher = Matcher::new(&server.slot);
    let mut try_all =
        |observed: &Observed| try_all(&server, &mut matcher, observed, Arrangements::Enrolled);
    assert!(try_all(&observed).0.is_none());
    observed.note(&PLACE[2].0.try_into().unwrap(), &value_of(PLACE[2].1));
    let (key, tries) = try_all(&observed);
    assert!(key.is_some());
    assert!(tries <= 4, "only rows with the new answer: {tries}");
}

/// The enrolled station answers first, and another one after it, in each round.
#[test]
fn two_stations_answering_at_each_address_lock_nobody_out() {
    let server = enrolled();
    let mut observed = seen(&MACHINE);
    for _ in 0..8 {
        for (label, value) in PLACE {
            let label = label.try_into().unwrap();
            for answer in [value, b"another"] {
                observed.note(&label, &value_of(answer));
            }
        }
    }
    let (key, tries) = unlock(&server, &observed);
    assert!(key.is_some());
    assert!(tries <= 4, "two answers each of two neighbours: {tries}");
    let compared = compare(&server.header, &server.slot, &server.key, &observed);
    assert_eq!(compared.unwrap().same.neighbours.count, 3);
}

#[test]
fn an_answer_behind_many_wrong_ones_is_tried_and_none_twice() {
    let server = enrolled();
    let mut observed = seen(&[&MACHINE[..2], &PLACE[..1]].concat());
    let mut matcher = Matcher::new(&server.slot);
    let mut tries = 0;
    let label = PLACE[1].0.try_into().unwrap();
    for answer in [b"1", b"2", b"3", PLACE[1].1] {
        assert!(observed.note(&label, &value_of(answer)));
        let (key, more) = try_all(&server, &mut matcher, &observed, Arrangements::Enrolled);
        tries += more;
        assert_eq!(key.is_some(), answer == PLACE[1].1);
    }
    assert_eq!(tries, 4);
}

#[test]
fn a_row_moved_to_another_server_opens_nothing() {
    let server = enrolled();
    let mut moved = enrolled();
    moved.slot = server.slot.clone();
    assert!(
        unlock(&moved, &seen(&[MACHINE, PLACE].concat()))
            .0
            .is_none()
    );
}

#[test]
fn a_key_that_is_not_the_servers_is_not_released() {
    let mut server = enrolled();
    server.header.check = CheckValue([0; 32]);
    assert!(
        unlock(&server, &seen(&[MACHINE, PLACE].concat()))
            .0
            .is_none()
    );
}

#[test]
fn what_changed_is_named_once_the_vault_is_open() {
    let server = enrolled();
    let parts = [
        MACHINE[0],
        MACHINE[1],
        MACHINE[2],
        PLACE[0],
        (PLACE[1].0, &b"new..."[..]),
    ];
    let compare_with = |key| compare(&server.header, &server.slot, key, &seen(&parts));
    let comparison = compare_with(&server.key).unwrap();
    let same = comparison.same;
    assert_eq!((same.machine.count, same.neighbours.count), (3, 1));
    assert_eq!(comparison.changed[..], [PLACE[1].0]);
    assert_eq!(comparison.silent[..], [PLACE[2].0]);
    assert!(compare_with(&MasterKey::generate()).is_err());
}

#[test]
fn who_could_not_be_asked_is_not_called_silent() {
    let server = enrolled();
    let mut observed = seen(&MACHINE);
    let label = |at: usize| Label::try_from(PLACE[at].0).unwrap();
    observed.note_not_asked([label(0), label(1)].into_iter());
    let comparison = compare(&server.header, &server.slot, &server.key, &observed).unwrap();
    assert_eq!(comparison.not_asked[..], [label(0), label(1)]);
    assert_eq!(comparison.silent[..], [label(2)]);
}

const SERVERS: [(&str, &[u8]); 3] = [
    ("tang 192.168.1.7:80", &[7; 32]),
    ("tang 192.168.1.8:80", &[8; 32]),
    ("tang 192.168.1.9:80", &[9; 32]),
];

fn with_servers(machine: usize, need: Thresholds) -> Server {
    let parts: Vec<(String, [u8; 1])> = (0..machine)
        .map(|n| (format!("disk {n}"), [n as u8 + 1]))
        .collect();
    let parts = parts.iter();
    let parts = parts.map(|(label, value)| (Group::Machine, label.as_str(), &value[..]));
    let servers = SERVERS.map(|(label, value)| (Group::Servers, label, value));
    server_with(parts.chain(servers), need)
}

#[test]
fn any_two_of_three_key_servers_open_and_liars_do_not() {
    let need = Thresholds {
        machine: 1,
        neighbours: 0,
        servers: 2,
    };
    let server = with_servers(1, need);
    let opens = |said: &[(&str, &[u8])]| {
        let machine = [("disk 0", &[1][..])];
        unlock(&server, &seen(&[&machine, said].concat()))
            .0
            .is_some()
    };
    let [a, b, c] = SERVERS;
    let lies = |(label, _): (&'static str, &[u8])| (label, &b"unknown key"[..]);
    for pair in [[a, b], [b, c], [a, c]] {
        assert!(opens(&pair));
    }
    assert!(opens(&[a, lies(b), c]), "one that lies does not matter");
    assert!(!opens(&[a]) && !opens(&[a, lies(b)]) && !opens(&[a, lies(b), lies(c)]));
    assert!(!opens(&[]));
    // One key server cannot stand in for another.
    assert!(!opens(&[a, (b.0, a.1)]));
}

#[test]
fn combinations_with_a_key_server_cost_no_scrypt() {
    let need = Thresholds {
        machine: 5,
        neighbours: 0,
        servers: 3,
    };
    let start = std::time::Instant::now();
    let server = with_servers(10, need);
    assert_eq!(server.slot.rows.len(), 252);
    let took = start.elapsed();
    // scrypt takes 40 ms or more for each.
    assert!(took < std::time::Duration::from_secs(4), "{took:?}");
}

/// A server with twelve disks, of which eleven are needed, and three neighbours.
fn with_disks() -> Server {
    let disks: Vec<(String, [u8; 2])> = (0..12)
        .map(|n| (format!("disk {n}"), [b'd', 10 * n as u8]))
        .collect();
    let disks = disks.iter();
    let disks = disks.map(|(label, value)| (Group::Machine, label.as_str(), &value[..]));
    let neighbours = PLACE.map(|(label, value)| (Group::Neighbours, label, value));
    let need = Thresholds {
        machine: 11,
        neighbours: 2,
        ..Thresholds::default()
    };
    server_with(disks.chain(neighbours), need)
}

#[test]
fn whichever_of_twelve_disks_is_replaced_the_server_opens() {
    let server = with_disks();
    for (gone, new) in [(0, 115), (11, 5), (5, 45), (3, 99)] {
        let mut observed = seen(&PLACE);
        for n in 0..12 {
            let serial = if n == gone { new } else { 10 * n };
            // As another controller names them.
            let label = format!("disk 0000:{:02x}:00.0", 40 - n);
            let label = label.as_str().try_into().unwrap();
            observed.note(&label, &value_of(&[b'd', serial]));
        }
        let mut matcher = Matcher::new(&server.slot);
        let (key, tries) = try_all(&server, &mut matcher, &observed, Arrangements::All);
        assert!(key.is_some(), "{gone} {new}");
        assert!(tries <= 36 + 3 + 256, "{tries}");
    }
}

#[test]
fn in_a_foreign_place_the_search_ends_with_the_neighbours() {
    let server = with_disks();
    let mut observed = Observed::default();
    for (n, (label, _)) in (0..).zip(PLACE) {
        observed.note(
            &label.try_into().unwrap(),
            &value_of(&[0, 0x26, 0xf2, 0, 0, n]),
        );
    }
    for n in 0..12 {
        let label = format!("disk {n}");
        observed.note(
            &label.as_str().try_into().unwrap(),
            &value_of(&[b'd', 10 * n]),
        );
    }
    let mut matcher = Matcher::new(&server.slot);
    let (key, tries) = try_all(&server, &mut matcher, &observed, Arrangements::All);
    // Rows, witnesses, and the two other pairs of values for each of these.
    assert_eq!((key.is_some(), tries), (false, 36 + 3 + 6));
    assert_eq!(matcher.proof(), PlaceProof::default());
}

#[test]
fn a_search_is_bounded_and_goes_on_with_a_new_answer() {
    let stations: Vec<(String, [u8; 6])> = (1..=7)
        .map(|n| (format!("arp 192.168.1.{n}"), [0, 0x1b, 0x21, 0, 0, n]))
        .collect();
    let neighbours = stations.iter();
    let neighbours = neighbours.map(|(label, mac)| (Group::Neighbours, label.as_str(), &mac[..]));
    let need = Thresholds {
        neighbours: 4,
        ..Thresholds::default()
    };
    let server = server_with(neighbours, need);
    let mut observed = Observed::default();
    for (n, (label, _)) in (0..).zip(&stations) {
        let label = label.as_str().try_into().unwrap();
        observed.note(&label, &value_of(&[0, 0x26, 0xf2, 0, 0, n]));
    }
    let mut matcher = Matcher::new(&server.slot);
    let (_, tries) = try_all(&server, &mut matcher, &observed, Arrangements::All);
    assert_eq!(tries, 35 + 35 + 256, "rows, witnesses, other arrangements");
    let label = stations[0].0.as_str().try_into().unwrap();
    observed.note(&label, &value_of(b"another"));
    let (_, tries) = try_all(&server, &mut matcher, &observed, Arrangements::All);
    assert_eq!(tries, 20 + 20 + 256, "those with the first one, and others");
}

#[test]
fn a_witness_agrees_although_the_machine_is_another() {
    let server = enrolled();
    let other = MACHINE.map(|(label, _)| (label, &b"another"[..]));
    for (around, here) in [
        (&PLACE[..], true),
        (&PLACE[1..], true),
        (&PLACE[..1], false),
    ] {
        let observed = seen(&[&other[..], around].concat());
        let mut matcher = Matcher::new(&server.slot);
        let (key, _) = try_all(&server, &mut matcher, &observed, Arrangements::All);
        assert_eq!((key.is_some(), matcher.proof().neighbours), (false, here));
    }
}
