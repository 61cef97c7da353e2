//! Own addresses on a wire: probed, used, claimed by others, removed.

use core::net::Ipv4Addr;
use std::io::ErrorKind;
use std::net::TcpStream;

use super::super::own_address::Claim;
use super::*;
use crate::vault::OwnAddress;

const OWN: &str = "192.168.77.10";
const OWN_6: &str = "fd77::10";

/// Own address at another place.
const SECOND: &str = "10.1.2.3";

fn claim_of(address: &str, router: Option<&str>, rank: u8) -> Claim {
    let own = OwnAddress {
        card: [0; 6],
        address: ip(address),
        prefix: 24,
        router: router.map(ip),
        set_at_boot: true,
    };
    Claim::new(own, &[ip(OWN), ip(SECOND), ip(OWN_6)], rank, Instant::now())
}

fn claim(router: Option<&str>) -> Claim {
    claim_of(OWN, router, 0)
}

/// Maintains the claim as the stage does, until `done`; returns whether that
/// came in three seconds.
fn maintain(claim: &mut Claim, link: &Link, done: impl Fn() -> bool) -> bool {
    until(Duration::from_secs(3), |now| {
        claim.maintain(|| Some(link), now);
        done()
    })
}

#[test]
fn a_free_address_is_used_and_nothing_of_it_is_left_behind() {
    let wire = Wire::new("free");
    wire.far("addr add 192.168.77.1/24 dev far");
    wire.inside(|| {
        let link = link(&wire);
        let carrier = |_| interface::has_carrier("card");
        assert!(until(Duration::from_secs(5), carrier));
        let mut claim = claim(Some("192.168.77.1"));
        let start = Instant::now();
        assert!(maintain(&mut claim, &link, || has(OWN)));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(30), "asked first: {took:?}");
        // Nothing listens there, but the refusal comes from there.
        let answer = TcpStream::connect("192.168.77.1:7").unwrap_err();
        assert_eq!(answer.kind(), ErrorKind::ConnectionRefused);
        let beyond = route::route_to(ip("198.51.100.1")).unwrap();
        assert_eq!(beyond.through, Some(ip("192.168.77.1")));
        assert_eq!(beyond.from, ip(OWN));
        drop(claim);
        assert!(!has(OWN));
        assert!(route::route_to(ip("198.51.100.1")).is_err());
        assert!(route::route_to(ip("192.168.77.1")).is_err());
    });
}

#[test]
fn an_address_that_another_station_has_is_not_used() {
    let wire = Wire::new("taken");
    wire.far(&format!("addr add {OWN}/24 dev far"));
    wire.inside(|| {
        let link = link(&wire);
        let mut claim = claim(None);
        assert!(!maintain(&mut claim, &link, || has(OWN)));
    });
}

#[test]
fn a_duplicate_ipv6_address_is_given_up_for_a_while() {
    let wire = Wire::new("taken6");
    wire.far(&format!("addr add {OWN_6}/64 dev far nodad"));
    wire.inside(|| {
        let link = link(&wire);
        let mut claim = claim_of(OWN_6, None, 0);
        assert!(maintain(&mut claim, &link, || has(OWN_6)), "tentatively");
        let gone = || until(Duration::from_secs(10), |_| !has(OWN_6));
        assert!(gone(), "the kernel has asked");
        assert!(!maintain(&mut claim, &link, || has(OWN_6)));
        wire.far(&format!("addr del {OWN_6}/64 dev far"));
        // Free again, it is used at the next probe.
        drop(claim);
        let mut claim = claim_of(OWN_6, None, 0);
        assert!(maintain(&mut claim, &link, || has(OWN_6)));
        assert!(!maintain(&mut claim, &link, || !has(OWN_6)), "it stays");
    });
}

#[test]
fn an_address_claimed_later_is_removed() {
    let wire = Wire::new("late");
    wire.inside(|| {
        let link = link(&wire);
        let mut claim = claim(None);
        assert!(maintain(&mut claim, &link, || has(OWN)));
        wire.far(&format!("addr add {OWN}/24 dev far"));
        // Its ARP request names itself as the sender.
        let speaks = format!(
            "ip netns exec {} busybox nc -w 1 192.168.77.99 7",
            wire.there()
        );
        let mut speaking = Command::new("sh").args(["-c", &speaks]).spawn().unwrap();
        assert!(maintain(&mut claim, &link, || !has(OWN)));
        speaking.wait().unwrap();
    });
}

#[test]
fn a_card_that_has_an_address_keeps_it_and_gets_no_other() {
    let wire = Wire::new("configured");
    for theirs in ["10.9.8.7", OWN] {
        let with_prefix = format!("{theirs}/24");
        wire.inside(|| {
            let link = link(&wire);
            wire.near(&format!("addr add {with_prefix} dev card"));
            let mut claim = claim(None);
            let gets_ours = || theirs != OWN && has(OWN);
            assert!(!maintain(&mut claim, &link, gets_ours));
            drop(claim);
            assert!(has(theirs));
            wire.near(&format!("addr del {with_prefix} dev card"));
        });
    }
}

#[test]
fn probes_echoes_and_other_addresses_are_no_claims() {
    let wire = Wire::new("claims");
    wire.inside(|| {
        let link = link(&wire);
        let mut claim = claim(None);
        assert!(maintain(&mut claim, &link, || has(OWN)));
        let station = [0, 0x0d, 0xb9, 0x41, 0x7a, 1];
        let own: Ipv4Addr = OWN.parse().unwrap();
        for harmless in [
            arp::announcement(station, [192, 168, 77, 1].into()),
            // Another server probes for this one as its neighbour.
            arp::probe(station, own),
            arp::announcement(link.mac, own),
        ] {
            wire.broadcast_there(&harmless);
            let start = Instant::now();
            let waited = |now: Instant| now > start + Duration::from_millis(300);
            assert!(until(Duration::from_secs(3), |now| {
                claim.maintain(|| Some(&link), now);
                assert!(has(OWN), "{harmless:?}");
                waited(now)
            }));
        }
        wire.broadcast_there(&arp::announcement(station, own));
        assert!(maintain(&mut claim, &link, || !has(OWN)));
    });
}

#[test]
fn addresses_of_two_places_coexist_and_the_homes_router_leads() {
    let wire = Wire::new("two");
    wire.inside(|| {
        let link = link(&wire);
        let mut second = claim_of(SECOND, Some("10.1.2.1"), 1);
        let mut home = claim(Some("192.168.77.1"));
        let both = || has(OWN) && has(SECOND);
        assert!(until(Duration::from_secs(3), |now| {
            second.maintain(|| Some(&link), now);
            home.maintain(|| Some(&link), now);
            both()
        }));
        // Maintained once more, neither removes the other one.
        maintain(&mut second, &link, || false);
        maintain(&mut home, &link, || false);
        assert!(both());
        let way = route::route_to(ip("198.51.100.1")).unwrap();
        assert_eq!(way.through, Some(ip("192.168.77.1")));
        drop(home);
        let way = route::route_to(ip("198.51.100.1")).unwrap();
        assert_eq!(way.through, Some(ip("10.1.2.1")));
    });
}

#[test]
fn an_address_left_by_a_killed_stage_is_taken_over() {
    let wire = Wire::new("killed");
    wire.inside(|| {
        let link = link(&wire);
        let mut first = claim(None);
        assert!(maintain(&mut first, &link, || has(OWN)));
        // Killed: the address stays.
        std::mem::forget(first);
        let left = route::addresses(link.index).unwrap();
        assert!(
            left.iter()
                .any(|left| left.is_temporary && left.address == ip(OWN))
        );
        let mut second = claim(None);
        // It is removed while it is probed again.
        assert!(maintain(&mut second, &link, || !has(OWN)));
        assert!(maintain(&mut second, &link, || has(OWN)));
        drop(second);
        assert!(!has(OWN));
    });
}
