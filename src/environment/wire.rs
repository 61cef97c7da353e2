//! A server's card on a wire with other stations, real ones of the kernel: what
//! is asked, answered and left behind. Needs root, for network namespaces.

use core::net::IpAddr;
use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::links::{Link, Links};
use super::own_address::Claim;
use super::*;
use crate::sys::packet::{BROADCAST, PacketSocket};
use crate::sys::{interface, route};
use crate::vault::{Label, OwnAddress, Value};

const STATION: &str = "00:0d:b9:41:7a:01";

/// Two network namespaces and a wire between them: `card` is the server's end,
/// which is down, and `far` the other one, of a station with [`STATION`]'s
/// address, which is up.
struct Wire(String);

fn run(command: &str) {
    let mut words = command.split(' ');
    let done = Command::new(words.next().unwrap()).args(words).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
}

impl Wire {
    fn new(test: &str) -> Self {
        let wire = Self(format!("stayput-wire-{test}-{}", std::process::id()));
        let (here, there) = (wire.here(), wire.there());
        run(&format!("ip netns add {here}"));
        run(&format!("ip netns add {there}"));
        let ends = format!("netns {here} type veth peer name far netns {there} address {STATION}");
        run(&format!("ip link add card {ends}"));
        wire.far("link set far up");
        wire
    }

    fn here(&self) -> String {
        format!("{}-here", self.0)
    }

    fn there(&self) -> String {
        format!("{}-there", self.0)
    }

    /// What somebody does at the other end.
    fn far(&self, command: &str) {
        run(&format!("ip -n {} {command}", self.there()));
    }

    /// What somebody does at the server.
    fn near(&self, command: &str) {
        run(&format!("ip -n {} {command}", self.here()));
    }

    /// Runs as the server.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        run_in(&self.here(), work)
    }

    /// Sends an ARP packet to everybody from the other end.
    fn from_there(&self, packet: &[u8]) {
        run_in(&self.there(), || {
            let socket = PacketSocket::arp(interface::index("far").unwrap()).unwrap();
            socket.send(BROADCAST, packet).unwrap();
        });
    }
}

fn run_in<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/run/netns/{namespace}")).unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            // /sys shows the network of whoever mounted it.
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let nothing = None::<&str>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(nothing, "/", nothing, private, nothing).unwrap();
            mount(
                Some("sysfs"),
                "/sys",
                Some("sysfs"),
                MsFlags::empty(),
                nothing,
            )
            .unwrap();
            work()
        });
        server.join().unwrap()
    })
}

impl Drop for Wire {
    fn drop(&mut self) {
        for namespace in [self.here(), self.there()] {
            let _ = Command::new("ip")
                .args(["netns", "del", &namespace])
                .status();
        }
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn link() -> Link {
    let name = "card".try_into().unwrap();
    Link::open(interface::index("card").unwrap(), name, true).unwrap()
}

/// Goes on for as long as `patience` until `done`.
fn until(patience: Duration, mut done: impl FnMut(Instant) -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if done(Instant::now()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn heard(target: &str) -> Option<Value> {
    let label: Label = neighbour_label(ip(target));
    let mut neighbours = Neighbours::with_links(&label, Links::of([link()]));
    let mut value = None;
    until(Duration::from_secs(5), |now| {
        if neighbours.next().is_some_and(|due| now >= due) {
            neighbours.ask(now);
        }
        value = neighbours.answers().first().map(|(_, value)| value.clone());
        value.is_some()
    });
    value
}

#[test]
fn a_neighbour_is_heard_by_ipv4_and_by_ipv6_and_the_card_is_down_again_afterwards() {
    let wire = Wire::new("heard");
    wire.far("addr add 192.168.77.1/24 dev far");
    wire.far("addr add fe80::1/64 dev far nodad");
    for target in ["192.168.77.1", "fe80::1"] {
        let value = wire.inside(|| heard(target));
        assert_eq!(
            value.as_deref(),
            Some(&[0, 0x0d, 0xb9, 0x41, 0x7a, 1][..]),
            "{target}"
        );
        wire.inside(|| assert_eq!(interface::is_up("card"), Ok(false)));
    }
}

#[test]
fn a_card_that_udev_renames_meanwhile_is_down_again_afterwards() {
    let wire = Wire::new("renamed");
    wire.inside(|| {
        let mut links = Links::of([link()]);
        interface::set_up("card", false).unwrap();
        wire.near("link set card name eno1");
        interface::set_up("eno1", true).unwrap();
        links.find();
        assert_eq!(
            links.iter().next().map(|link| link.name.as_str()),
            Some("eno1")
        );
        drop(links);
        assert_eq!(interface::is_up("eno1"), Ok(false));
    });
}

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

fn has(address: &str) -> bool {
    let found = route::addresses(interface::index("card").unwrap()).unwrap();
    found.iter().any(|found| found.address == ip(address))
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
        let mut claim = claim(Some("192.168.77.1"));
        let start = Instant::now();
        assert!(look_after(&mut claim, &link, || has(OWN)));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(150), "asked first: {took:?}");
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
fn a_card_that_somebody_else_sets_up_meanwhile_stays_up() {
    let wire = Wire::new("somebodys");
    wire.inside(|| {
        let link = link();
        wire.near("addr add 10.9.8.7/16 dev card");
        drop(link);
        assert_eq!(interface::is_up("card"), Ok(true));
        assert!(has("10.9.8.7"));
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
fn only_a_neighbour_that_was_asked_for_is_heard_and_no_echo_of_ourselves() {
    let wire = Wire::new("echo");
    wire.inside(|| {
        let label = neighbour_label(ip("192.168.77.1"));
        let link = link();
        let own = link.mac;
        let neighbours = Neighbours::with_links(&label, Links::of([link]));
        let says = |mac: interface::Mac, address: [u8; 4]| {
            let mut reply = super::arp::announcement(mac, address.into());
            // A reply, where the announcement is a question.
            reply[7] = 2;
            wire.from_there(&reply);
            until(Duration::from_millis(300), |_| {
                !neighbours.answers().is_empty()
            })
        };
        let station = [0, 0x0d, 0xb9, 0x41, 0x7a, 1];
        assert!(!says(station, [192, 168, 77, 2]), "nobody has asked");
        assert!(!says(own, [192, 168, 77, 1]), "that is this server");
        assert!(says(station, [192, 168, 77, 1]));
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
    wire.inside(|| {
        let link = link();
        wire.near("addr add 10.9.8.7/16 dev card");
        let mut claim = claim(None);
        assert!(!look_after(&mut claim, &link, || has(OWN)));
        drop(claim);
        assert!(has("10.9.8.7"));
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
