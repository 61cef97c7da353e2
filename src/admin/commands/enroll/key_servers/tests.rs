//! Key servers as they are found, compared, tried and found changed.

use super::*;
use crate::environment::{TestPeer, TestTang, answering_with_another_key};
use crate::vault::Curve;

#[test]
fn an_address_is_read_in_all_the_ways_people_write_it() {
    let read = |url: &str| {
        let found = authority(url).and_then(host_and_port)?;
        Some((found.0.to_owned(), found.1))
    };
    let is = |host: &str, port| Some((host.to_owned(), port));
    assert_eq!(read("http://192.168.1.5:7500"), is("192.168.1.5", 7500));
    assert_eq!(read("http://192.168.1.5/"), is("192.168.1.5", 80));
    assert_eq!(read("tang.clinic:81"), is("tang.clinic", 81));
    assert_eq!(read("http://[fd00::5]:7500"), is("fd00::5", 7500));
    assert_eq!(read("[fd00::5]"), is("fd00::5", 80));
    for wrong in [
        "https://192.168.1.5",
        "http://",
        "",
        "http://a b",
        "http://192.168.1.5:port",
        "http://192.168.1.5:0",
        "http://user@host",
        "http://host/adv",
        "[fd00::5]7500",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn own_and_public_addresses_of_key_servers_are_recognised() {
    let table = [
        ("192.168.1.5", AddressScope::Private),
        ("10.0.0.5", AddressScope::Private),
        ("100.64.0.1", AddressScope::Private),
        ("fd12::5", AddressScope::Private),
        ("8.8.8.8", AddressScope::Public),
        ("::ffff:8.8.8.8", AddressScope::Public),
        ("2001:db8::5", AddressScope::Public),
        ("127.0.0.1", AddressScope::ThisMachine),
        ("::1", AddressScope::ThisMachine),
        ("169.254.1.1", AddressScope::LinkLocal),
        ("fe80::1", AddressScope::LinkLocal),
    ];
    for (ip, expected) in table {
        assert_eq!(scope_of(ip.parse().unwrap()), expected, "{ip}");
    }
    assert!(is_our_own("127.0.0.1:80".parse().unwrap()));
}

fn shown_by(tang: &TestTang) -> Advertisement {
    let shown = fetch_advertisement(tang.address, &[]);
    shown.unwrap_or_else(|why| panic!("{why}"))
}

/// As it would have been enrolled, could a server stand on this machine.
fn enrolled(tang: &TestTang) -> KeyServer {
    let shown = shown_by(tang);
    let enrolled = with_key(tang.address, &shown.exchange[0], &shown.signing);
    enrolled.unwrap().server
}

#[test]
fn yes_to_everything_compares_no_thumbprint() {
    let key = || TestPeer::new(Curve::P256).key();
    let shown = Advertisement {
        signing: [key(), key()].into_iter().collect(),
        exchange: [key()].into_iter().collect(),
        vouching: heapless::Vec::new(),
    };
    let address = "192.168.1.5:80".parse().unwrap();
    let believed = |pinned: &[Thumbprint]| compared(address, &shown, pinned, true);
    let right = thumbprint(&shown.signing[1]);
    let signing = believed(&[[7; 32], right]).unwrap();
    assert_eq!(signing[0], shown.signing[1], "the one that was compared");
    assert_eq!(signing.len(), 2);
    let refused = believed(&[[7; 32]]).unwrap_err();
    assert!(refused.what.contains("thumbprint"), "{}", refused.what);
    // That of a key which does not sign proves nothing.
    assert!(believed(&[thumbprint(&shown.exchange[0])]).is_err());
    let refused = believed(&[]).unwrap_err();
    assert!(
        refused.what.contains("Nobody has compared"),
        "{}",
        refused.what
    );
}

#[test]
fn a_server_that_shows_a_key_of_another_is_not_enrolled() {
    let (tang, other) = (TestTang::start(), TestTang::start());
    let key = &shown_by(&tang).exchange[0];
    assert!(with_key(tang.address, key, &[]).is_ok());
    assert!(with_key(other.address, key, &[]).is_err());
    let liar = answering_with_another_key();
    let problem = with_key(liar, key, &[]).err().unwrap();
    assert!(
        problem.what.contains("does not have the key"),
        "{}",
        problem.what
    );
}

#[test]
fn rotated_keys_are_taken_only_when_enrolled_ones_vouch() {
    let tang = TestTang::start();
    let server = enrolled(&tang);
    assert!(matches!(
        check_rotation(&server, true),
        Ok(KeyRotation::Same)
    ));
    tang.rotate();
    let Ok(KeyRotation::Rotated(new)) = check_rotation(&server, true) else {
        panic!("the old keys vouch for the new ones");
    };
    assert_ne!(new.server.exchange, server.exchange);
    assert_eq!(recover_once(&new.server), Ok(new.value.clone()));
    // From now on it is known by its new keys.
    assert!(matches!(
        check_rotation(&new.server, true),
        Ok(KeyRotation::Same)
    ));
    assert_ne!(new.server.signing, server.signing);
    // Somebody else's server at the same address.
    let stranger = KeyServer {
        address: TestTang::start().address,
        ..server.clone()
    };
    assert!(matches!(
        check_rotation(&stranger, true),
        Ok(KeyRotation::Kept(_))
    ));
    tang.forget_rotated();
    assert!(matches!(
        check_rotation(&server, true),
        Ok(KeyRotation::Kept(_))
    ));
}

#[test]
fn a_thumbprint_that_begins_with_a_hyphen_is_no_option() {
    use clap::Parser;
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: KeyServerOptions,
    }
    let print = "-QbsLXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    let words = ["enroll", "--thumbprint", print, "--tang", "10.0.0.5"];
    let options = Line::try_parse_from(words).unwrap().options;
    assert_eq!(options.thumbprint, [print]);
    assert_eq!(options.tang, ["10.0.0.5"]);
    assert!(parse_thumbprint(print).is_some());
}
