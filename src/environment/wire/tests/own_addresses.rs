//! Own addresses on a wire: asked for, used, claimed by others, given back.

use core::net::Ipv4Addr;
use std::io::ErrorKind;
use std::net::TcpStream;

use super::super::own_address::Claim;
use super::*;
use crate::vault::OwnAddress;

const OWN: &str = "192.168.77.10";
const OWN_6: &str = "fd77::10";

/// Of another place.
const SECOND: &str = "10.1.2.3";

fn claim_of(address: &str, router: Option<&str>, rank: u8) -> Claim {
    let own = OwnAddress {
        card: [0; 6],
        address: ip(address),
        prefix: 24,
        router: router.map(ip),
    };
    Claim::new(own, &[ip(OWN), ip(SECOND), ip(OWN_6)], rank, Instant::now())
}

fn claim(router: Option<&str>) -> Claim {
    claim_of(OWN, router, 0)
}

/// Looks after it as the stage does; whether it came to `done` in time.
fn look_after(claim: &mut Claim, link: &Link, done: impl Fn() -> bool) -> bool {
    until(Duration::from_secs(3), |now| {
        claim.look_after(|| Some(link), now);
        done()
    })
}

#[test]
fn a_free_address_is_used_and_nothing_of_it_is_left_behind() {
    let wire = Wire::new("free");
    wire.far("addr add 192.168.77.1/24 dev far");
    wire.inside(|| {
        let link = link();
        let carrier = |_| interface::has_carrier("card");
        assert!(until(Duration::from_secs(5), carrier));
        let mut claim = claim(Some("192.168.77.1"));
        let start = Instant::now();
        assert!(look_after(&mut claim, &link, || has(OWN)));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(30), "asked first: {took:?}");
        // Nobody listens there: but the refusal has come from there.
        let answer = TcpStream::connect("192.168.77.1:7").unwrap_err();
        assert_eq!(answer.kind(), ErrorKind::ConnectionRefused);
        let beyond = route::way_to(ip("198.51.100.1")).unwrap();
        assert_eq!(beyond.through, Some(ip("192.168.77.1")));
        assert_eq!(beyond.from, ip(OWN));
        drop(claim);
        assert!(!has(OWN));
        assert!(route::way_to(ip("198.51.100.1")).is_err());
        assert!(route::way_to(ip("192.168.77.1")).is_err());
    });
}

#[test]
fn an_address_that_another_station_has_is_not_used() {
    let wire = Wire::new("taken");
    wire.far(&format!("addr add {OWN}/24 dev far"));
    wire.inside(|| {
        let link = link();
        let mut claim = claim(None);
        assert!(!look_after(&mut claim, &link, || has(OWN)));
    });
}

#[test]
fn an_ipv6_address_that_another_station_has_is_given_up_and_not_tried_every_second() {
    let wire = Wire::new("taken6");
    wire.far(&format!("addr add {OWN_6}/64 dev far nodad"));
    wire.inside(|| {
        let link = link();
        let mut claim = claim_of(OWN_6, None, 0);
        assert!(look_after(&mut claim, &link, || has(OWN_6)), "tentatively");
        let gone = || until(Duration::from_secs(10), |_| !has(OWN_6));
        assert!(gone(), "the kernel has asked");
        assert!(!look_after(&mut claim, &link, || has(OWN_6)));
        wire.far(&format!("addr del {OWN_6}/64 dev far"));
        // Free again, it is used: the next question comes later.
        drop(claim);
        let mut claim = claim_of(OWN_6, None, 0);
        assert!(look_after(&mut claim, &link, || has(OWN_6)));
        assert!(!look_after(&mut claim, &link, || !has(OWN_6)), "it stays");
    });
}

#[test]
fn an_address_is_given_back_when_another_station_comes_and_claims_it() {
    let wire = Wire::new("late");
    wire.inside(|| {
        let link = link();
        let mut claim = claim(None);
        assert!(look_after(&mut claim, &link, || has(OWN)));
        wire.far(&format!("addr add {OWN}/24 dev far"));
        // It asks for somebody, and says who it is itself.
        let speaks = format!(
            "ip netns exec {} busybox nc -w 1 192.168.77.99 7",
            wire.there()
        );
        let mut speaking = Command::new("sh").args(["-c", &speaks]).spawn().unwrap();
        assert!(look_after(&mut claim, &link, || !has(OWN)));
        speaking.wait().unwrap();
    });
}

#[test]
fn a_card_that_has_an_address_keeps_it_and_gets_no_other() {
    let wire = Wire::new("configured");
    for theirs in ["10.9.8.7", OWN] {
        let with_prefix = format!("{theirs}/24");
        wire.inside(|| {
            let link = link();
            wire.near(&format!("addr add {with_prefix} dev card"));
            let mut claim = claim(None);
            let gets_ours = || theirs != OWN && has(OWN);
            assert!(!look_after(&mut claim, &link, gets_ours));
            drop(claim);
            assert!(has(theirs));
            wire.near(&format!("addr del {with_prefix} dev card"));
        });
    }
}

#[test]
fn nobody_claims_an_address_who_speaks_of_another_or_asks_for_it_and_no_echo_does() {
    let wire = Wire::new("claims");
    wire.inside(|| {
        let link = link();
        let mut claim = claim(None);
        assert!(look_after(&mut claim, &link, || has(OWN)));
        let station = [0, 0x0d, 0xb9, 0x41, 0x7a, 1];
        let own: Ipv4Addr = OWN.parse().unwrap();
        for harmless in [
            arp::announcement(station, [192, 168, 77, 1].into()),
            // Another server that looks for this one as its neighbour.
            arp::probe(station, own),
            arp::announcement(link.mac, own),
        ] {
            wire.broadcast_there(&harmless);
            let start = Instant::now();
            let waited = |now: Instant| now > start + Duration::from_millis(300);
            assert!(until(Duration::from_secs(3), |now| {
                claim.look_after(|| Some(&link), now);
                assert!(has(OWN), "{harmless:?}");
                waited(now)
            }));
        }
        wire.broadcast_there(&arp::announcement(station, own));
        assert!(look_after(&mut claim, &link, || !has(OWN)));
    });
}

#[test]
fn the_addresses_of_two_places_stand_beside_each_other_and_the_homes_router_is_the_first() {
    let wire = Wire::new("two");
    wire.inside(|| {
        let link = link();
        let mut second = claim_of(SECOND, Some("10.1.2.1"), 1);
        let mut home = claim(Some("192.168.77.1"));
        let both = || has(OWN) && has(SECOND);
        assert!(until(Duration::from_secs(3), |now| {
            second.look_after(|| Some(&link), now);
            home.look_after(|| Some(&link), now);
            both()
        }));
        // Looked after once more, neither drives the other one out.
        look_after(&mut second, &link, || false);
        look_after(&mut home, &link, || false);
        assert!(both());
        let way = route::way_to(ip("198.51.100.1")).unwrap();
        assert_eq!(way.through, Some(ip("192.168.77.1")));
        drop(home);
        let way = route::way_to(ip("198.51.100.1")).unwrap();
        assert_eq!(way.through, Some(ip("10.1.2.1")));
    });
}

#[test]
fn what_a_stage_that_was_killed_has_left_is_taken_over_and_goes_by_itself() {
    let wire = Wire::new("killed");
    wire.inside(|| {
        let link = link();
        let mut first = claim(None);
        assert!(look_after(&mut first, &link, || has(OWN)));
        // Killed: nobody gives anything back.
        std::mem::forget(first);
        let left = route::addresses(link.index).unwrap();
        assert!(
            left.iter()
                .any(|left| left.is_temporary && left.address == ip(OWN))
        );
        let mut second = claim(None);
        // Asked for anew: it is gone meanwhile.
        assert!(look_after(&mut second, &link, || !has(OWN)));
        assert!(look_after(&mut second, &link, || has(OWN)));
        drop(second);
        assert!(!has(OWN));
    });
}
