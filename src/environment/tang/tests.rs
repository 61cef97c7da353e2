//! Exchanges with Debian's tangd, and with hostile servers.

use core::net::{Ipv4Addr, SocketAddr};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use heapless::Vec;
use nix::poll::{PollFd, PollTimeout, poll};
use tempfile::TempDir;

use super::asking::{KeyServers, ask_once, factor_value, recover_once};
use super::exchange::{enrol, tests::Peer};
use super::jwk::{exchange_json, thumbprint, thumbprint_text};
use super::test_server::{TANGD, Tang, answering_with_another_key, read_request, run, serve};
use super::{Advertisement, HttpRequest};
use crate::environment::factors::UNKNOWN_KEY;
use crate::environment::factors::server_label;
use crate::vault::{
    Curve, EnvironmentSlot, KeyServer, Label, PublicKey, SealedValues, Thresholds, Value,
};

/// Time limit for what takes a second on an idle machine.
const LONG: Duration = Duration::from_secs(60);

impl Tang {
    fn get(&self, path: &str) -> Option<std::vec::Vec<u8>> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let request = HttpRequest::try_from(request.as_str()).unwrap();
        let reply = ask_once(self.address, &request).unwrap();
        (reply.status == 200).then_some(reply.body)
    }

    fn advertisement(&self, known: &[PublicKey]) -> Advertisement {
        let path = known.first().map_or("/adv".into(), |key| {
            format!("/adv/{}", thumbprint_text(&thumbprint(key)))
        });
        Advertisement::parse(&self.get(&path).unwrap(), known).unwrap()
    }

    fn enrolled(&self) -> (KeyServer, Value) {
        enrolled(self.address, &self.advertisement(&[]).exchange[0])
    }
}

fn enrolled(address: SocketAddr, exchange: &PublicKey) -> (KeyServer, Value) {
    let (ours, value) = enrol(exchange).unwrap();
    let server = KeyServer {
        address,
        exchange: exchange.clone(),
        ours,
        signing: Vec::new(),
    };
    (server, factor_value(&value))
}

fn place(servers: &[KeyServer]) -> [Box<EnvironmentSlot>; 1] {
    [Box::new(EnvironmentSlot {
        id: 0,
        name: "home".try_into().unwrap(),
        factors: Vec::new(),
        need: Thresholds::default(),
        rows: Vec::new(),
        witnesses: Vec::new(),
        enrolled: SealedValues {
            sealed: crate::keys::seal(&crate::keys::Secret32::random(), "", b"", &mut []),
            bytes: Vec::new(),
        },
        servers: servers.iter().cloned().collect(),
        addresses: Vec::new(),
    })]
}

/// The answers of the servers within `patience`, or until `enough`, asked as
/// the stage does. A turn waits for no server, but on a busy machine it may
/// wait for the processor.
fn hear(
    servers: &[KeyServer],
    patience: Duration,
    enough: impl Fn(&[(Label, Value)]) -> bool,
) -> std::vec::Vec<(Label, Value)> {
    let start = Instant::now();
    let mut asking = KeyServers::of(&place(servers), start);
    let mut heard = std::vec::Vec::new();
    while start.elapsed() < patience && !enough(&heard) {
        let until = match asking.work_ahead(Instant::now()) {
            true => start,
            false => asking.next().unwrap().min(start + patience),
        };
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap();
        let mut fds: std::vec::Vec<PollFd<'_>> = asking
            .sockets()
            .map(|(fd, flags)| PollFd::new(fd, flags))
            .collect();
        poll(&mut fds, timeout).unwrap();
        let turn = Instant::now();
        heard.extend(asking.drive(turn));
        let took = turn.elapsed();
        assert!(took < Duration::from_secs(5), "a turn took {took:?}");
    }
    heard
}

#[test]
fn debians_tang_gives_the_same_value_at_every_boot() {
    let tang = Tang::start();
    let advertisement = tang.advertisement(&[]);
    assert_eq!(advertisement.signing.len(), 1);
    // Tang knows its key by this thumbprint.
    let print = advertisement.thumbprints().next().unwrap();
    let path = format!("/adv/{}", thumbprint_text(&print));
    assert!(tang.get(&path).is_some());
    assert!(
        tang.get(&format!("/adv/{}", thumbprint_text(&[7; 32])))
            .is_none()
    );
    let (server, value) = tang.enrolled();
    assert_eq!(server.exchange.curve, Curve::P521);
    for _ in 0..3 {
        assert_eq!(recover_once(&server), Ok(value.clone()));
    }
    let label = server_label(tang.address, "home");
    let heard = hear(&[server], LONG, |heard| !heard.is_empty());
    assert_eq!(heard, [(label, value)]);
}

#[test]
fn tang_with_keys_on_p256_is_asked_as_well() {
    let keys = TempDir::new().unwrap();
    for (name, template) in [
        ("sig.jwk", r#"{"alg":"ES256"}"#),
        ("exc.jwk", r#"{"alg":"ECMR","crv":"P-256"}"#),
    ] {
        let path = keys.path().join(name);
        run(
            "jose",
            &["jwk", "gen", "-i", template, "-o", path.to_str().unwrap()],
        );
    }
    let tang = Tang::start_with(keys);
    let (server, value) = tang.enrolled();
    assert_eq!(server.exchange.curve, Curve::P256);
    assert_eq!(recover_once(&server), Ok(value));
}

#[test]
fn rotated_keys_open_until_they_are_deleted() {
    let tang = Tang::start();
    let before = tang.advertisement(&[]);
    let (server, value) = tang.enrolled();
    tang.rotate();
    let after = tang.advertisement(&before.signing);
    assert!(!after.exchange.contains(&server.exchange), "a new key");
    assert!(!after.signing.contains(&before.signing[0]));
    assert_eq!(after.vouching[..], before.signing[..]);
    assert!(tang.advertisement(&[]).vouching.is_empty());
    assert_eq!(recover_once(&server), Ok(value), "the old still answers");
    tang.forget_rotated();
    assert!(recover_once(&server).is_err());
    let heard = hear(&[server], LONG, |heard| !heard.is_empty());
    assert_eq!(heard.len(), 1, "it is somebody, but not with this key");
    assert_eq!(heard[0].1.as_slice(), UNKNOWN_KEY);
}

fn say(mut stream: TcpStream, body: &str) {
    read_request(&stream);
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
    );
}

#[test]
fn hostile_servers_do_not_delay_the_right_one() {
    let tang = Tang::start();
    let (right, value) = tang.enrolled();
    let key = &right.exchange;
    let connections = Arc::new(AtomicUsize::new(0));
    let sent = Arc::new(AtomicUsize::new(0));
    let (count, taken) = (connections.clone(), sent.clone());
    let silent = serve(move |stream| {
        count.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(30));
        drop(stream);
    });
    let gigabyte = serve(move |mut stream| {
        read_request(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let junk = [b'a'; 65536];
        for _ in 0..16384 {
            match stream.write(&junk) {
                Ok(length) => taken.fetch_add(length, Ordering::Relaxed),
                Err(_) => return,
            };
        }
    });
    let drip = serve(|mut stream| {
        read_request(&stream);
        for byte in "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"
            .bytes()
            .cycle()
        {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    let zero = exchange_json(Curve::P521, &Curve::P521.point(&[0; 66], &[0; 66]).unwrap());
    let identity = serve(move |stream| say(stream, &zero));
    let mut off = key.point.clone();
    *off.last_mut().unwrap() ^= 1;
    let off = exchange_json(Curve::P521, &off);
    let off_curve = serve(move |stream| say(stream, &off));
    let slams = serve(drop);
    let other = answering_with_another_key();
    let harmful = [silent, gigabyte, drip, identity, off_curve, slams, other];
    let mut servers: std::vec::Vec<KeyServer> = harmful
        .iter()
        .map(|address| enrolled(*address, key).0)
        .collect();
    servers.push(right);
    // The right one and the one with another key answer; the others are given
    // some time to do their worst.
    let start = Instant::now();
    let heard = hear(&servers, LONG, |heard| {
        heard.len() >= 2 && start.elapsed() > Duration::from_secs(4)
    });
    let of = |address: SocketAddr| -> std::vec::Vec<&Value> {
        let label = server_label(address, "home");
        let heard = heard.iter().filter(|(known, _)| *known == label);
        heard.map(|(_, value)| value).collect()
    };
    let right = of(tang.address);
    assert!(!right.is_empty() && right.iter().all(|said| **said == value));
    let [.., other] = harmful;
    for address in harmful {
        match address == other {
            // A point of somebody else's key is an answer, and not the right
            // one.
            true => assert!(!of(address).is_empty() && !of(address).contains(&&value)),
            false => assert!(of(address).is_empty()),
        }
    }
    // The silent one is given its time, and not asked again meanwhile.
    let whole_times = start.elapsed().as_secs() / 6;
    let connections = connections.load(Ordering::Relaxed) as u64;
    assert!(connections <= 1 + whole_times, "{connections}");
    // What the kernel buffers for a few tries, not a gigabyte.
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

#[test]
fn a_server_that_comes_up_late_is_heard_within_two_seconds() {
    let keys = Tang::start();
    let advertised = keys.advertisement(&[]).exchange[0].clone();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (server, value) = enrolled(address, &advertised);
    let folder = keys.folder().to_owned();
    let up = thread::spawn(move || {
        thread::sleep(Duration::from_millis(6500));
        let listener = TcpListener::bind(address).unwrap();
        let since = Instant::now();
        let (stream, _) = listener.accept().unwrap();
        let stream: OwnedFd = stream.into();
        let output = Stdio::from(stream.try_clone().unwrap());
        let tangd = Command::new(TANGD)
            .arg(folder)
            .stdin(stream)
            .stdout(output)
            .status();
        tangd.unwrap();
        since
    });
    let heard = hear(&[server], LONG, |heard| !heard.is_empty());
    assert_eq!(heard[0].1, value);
    let waited = up.join().unwrap().elapsed();
    // One second between two tries, and what a busy machine adds.
    assert!(waited < Duration::from_secs(8), "{waited:?}");
}

#[test]
fn only_an_unreachable_server_is_asked_at_once_on_a_new_route() {
    // A free port that was taken a moment ago may belong to another program by now.
    let nobody = (Ipv4Addr::LOCALHOST, 1).into();
    for (address, at_once) in [(nobody, true), (serve(drop), false)] {
        let (server, _) = enrolled(address, &Peer::new(Curve::P256).key());
        let mut now = Instant::now();
        let mut asking = KeyServers::of(&place(&[server]), now);
        // Until it rests for long.
        loop {
            asking.work_ahead(now);
            asking.drive(now);
            let due = asking.next().unwrap();
            let rests = asking.sockets().next().is_none();
            if rests && due > now + Duration::from_millis(500) {
                break;
            }
            if rests {
                now = due;
            }
        }
        asking.ask_soon(now);
        assert_eq!(asking.next() == Some(now), at_once, "{address}");
    }
}
