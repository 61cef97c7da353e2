//! A network card on a wire with real stations of the kernel. Needs root, for
//! network namespaces.

mod own_addresses;

use core::net::{IpAddr, Ipv4Addr};
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::links::{Cards, Link, Links};
use super::*;
use crate::environment::factors::neighbour_label;
use crate::sys::packet::{BROADCAST, PacketSocket};
use crate::sys::{interface, route};
use crate::vault::{Label, Value};

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

    /// Runs `ip` at the other end.
    fn far(&self, command: &str) {
        run(&format!("ip -n {} {command}", self.there()));
    }

    /// Runs `ip` at the server.
    fn near(&self, command: &str) {
        run(&format!("ip -n {} {command}", self.here()));
    }

    /// Runs `work` in the server's namespace.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        run_in(&self.here(), work)
    }

    /// Sends an ARP packet to everybody from the other end.
    fn broadcast_there(&self, packet: &[u8]) {
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

/// The server's card, put up. The station's one was there before.
fn link(wire: &Wire) -> Link {
    let name = "card".try_into().unwrap();
    let link = Link::open(interface::index("card").unwrap(), name, Cards::PutUp).unwrap();
    let is_there = |_| {
        run_in(&wire.there(), || {
            interface::has_carrier("far") && interface::is_operational("far")
        })
    };
    assert!(until(Duration::from_secs(5), is_there));
    link
}

/// Calls `done` until it returns true, for `patience` at most; returns whether
/// it did.
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

fn heard(wire: &Wire, target: &str) -> Option<Value> {
    let label: Label = neighbour_label(ip(target));
    let mut neighbours = Neighbours::with_links(&label, Links::of([link(wire)]));
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
fn a_neighbour_is_heard_and_the_card_is_down_again_afterwards() {
    let wire = Wire::new("heard");
    wire.far("addr add 192.168.77.1/24 dev far");
    wire.far("addr add fe80::1/64 dev far nodad");
    for target in ["192.168.77.1", "fe80::1"] {
        let value = wire.inside(|| heard(&wire, target));
        assert_eq!(
            value.as_deref(),
            Some(&[0, 0x0d, 0xb9, 0x41, 0x7a, 1][..]),
            "{target}"
        );
        wire.inside(|| assert_eq!(interface::is_up("card"), Ok(false)));
    }
}

/// The senders of the ARP packets that the other end hears while the server asks
/// for `target`, for as long as it takes to ask several times.
fn senders(wire: &Wire, target: &str) -> Vec<Ipv4Addr> {
    std::thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let far = scope.spawn(move || {
            run_in(&wire.there(), || {
                let socket = PacketSocket::arp(interface::index("far").unwrap()).unwrap();
                ready.send(()).unwrap();
                let mut senders = Vec::new();
                let mut buffer = [0; 64];
                until(Duration::from_secs(3), |_| {
                    while let Some(packet) = socket.receive(&mut buffer) {
                        senders.push(Ipv4Addr::from(
                            <[u8; 4]>::try_from(&packet[14..18]).unwrap(),
                        ));
                    }
                    false
                });
                senders
            })
        });
        is_ready.recv().unwrap();
        wire.inside(|| heard(wire, target));
        far.join().unwrap()
    })
}

#[test]
fn a_silent_neighbour_is_asked_by_a_station_and_never_probed() {
    let wire = Wire::new("station");
    wire.near("link set card up");
    wire.near("addr add 192.168.77.50/24 dev card");
    let own = Ipv4Addr::new(192, 168, 77, 50);
    let senders = senders(&wire, "192.168.77.1");
    assert!(senders.len() > 2, "{senders:?}");
    assert!(senders.iter().all(|sender| *sender == own), "{senders:?}");
}

#[test]
fn a_server_without_an_address_probes_once() {
    let wire = Wire::new("nobody");
    assert_eq!(senders(&wire, "192.168.77.1"), [Ipv4Addr::UNSPECIFIED]);
}

#[test]
fn the_first_question_on_a_card_that_was_down_is_not_lost() {
    let wire = Wire::new("first");
    wire.inside(|| {
        let link = link(&wire);
        let question = arp::probe(link.mac, [192, 168, 77, 1].into());
        assert_eq!(link.arp.send(BROADCAST, &question), Ok(()));
    });
}

#[test]
fn a_card_that_udev_renames_meanwhile_is_down_again_afterwards() {
    let wire = Wire::new("renamed");
    wire.inside(|| {
        let mut links = Links::of([link(&wire)]);
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

#[test]
fn a_card_switched_off_stays_so_unless_it_may_be_put_up() {
    let wire = Wire::new("off");
    wire.inside(|| {
        let open = |cards| {
            let name = "card".try_into().unwrap();
            Link::open(interface::index("card").unwrap(), name, cards)
        };
        assert!(open(Cards::LeftDown).is_none());
        assert_eq!(interface::is_up("card"), Ok(false));
        let link = open(Cards::PutUp);
        assert_eq!(interface::is_up("card"), Ok(true));
        drop(link);
        assert_eq!(interface::is_up("card"), Ok(false));
    });
}

#[test]
fn a_card_that_kept_its_address_is_put_down_again() {
    let wire = Wire::new("kept");
    wire.near("addr add 192.168.77.50/24 dev card");
    wire.inside(|| {
        drop(link(&wire));
        assert_eq!(interface::is_up("card"), Ok(false));
        let link = link(&wire);
        wire.near("addr add 192.168.77.51/24 dev card");
        drop(link);
        assert_eq!(interface::is_up("card"), Ok(true));
    });
}

#[test]
fn who_asks_knows_that_a_card_was_put_up_for_it() {
    let wire = Wire::new("woken");
    let has_woken = || {
        let label = neighbour_label(ip("192.168.77.1"));
        Neighbours::with_links(&label, Links::of([link(&wire)])).has_woken_links()
    };
    assert!(wire.inside(has_woken));
    wire.near("link set card up");
    assert!(!wire.inside(has_woken));
}

#[test]
fn a_card_stays_up_when_somebody_has_the_server_look_again() {
    let wire = Wire::new("again");
    wire.inside(|| {
        let label = neighbour_label(ip("192.168.77.1"));
        let mut neighbours = Neighbours::with_links(&label, Links::of([link(&wire)]));
        let ups = || std::fs::read_to_string("/sys/class/net/card/carrier_up_count").unwrap();
        let carrier = |_| interface::has_carrier("card");
        assert!(until(Duration::from_secs(5), carrier));
        let before = ups();
        neighbours.turn_to(core::iter::empty(), Instant::now());
        assert_eq!(neighbours.next(), None, "nobody is to be asked");
        neighbours.turn_to(core::iter::empty(), Instant::now());
        assert!(interface::has_carrier("card"));
        assert_eq!(ups(), before);
    });
}

fn has(address: &str) -> bool {
    let found = route::addresses(interface::index("card").unwrap()).unwrap();
    found.iter().any(|found| found.address == ip(address))
}

#[test]
fn a_card_that_somebody_else_sets_up_meanwhile_stays_up() {
    let wire = Wire::new("somebodys");
    wire.inside(|| {
        let link = link(&wire);
        wire.near("addr add 10.9.8.7/16 dev card");
        drop(link);
        assert_eq!(interface::is_up("card"), Ok(true));
        assert!(has("10.9.8.7"));
    });
}

#[test]
fn only_a_neighbour_that_was_asked_is_heard_and_no_echo() {
    let wire = Wire::new("echo");
    wire.inside(|| {
        let label = neighbour_label(ip("192.168.77.1"));
        let link = link(&wire);
        let own = link.mac;
        let mut neighbours = Neighbours::with_links(&label, Links::of([link]));
        let mut says = |mac: interface::Mac, address: [u8; 4]| {
            let mut reply = arp::announcement(mac, address.into());
            // A reply, where the announcement is a question.
            reply[7] = 2;
            wire.broadcast_there(&reply);
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
