//! The thief has what people carry: a stick, or a guess at what they remember.

use super::*;
use crate::keys::Keyring;

/// Noted as a stick of this server.
fn listed(clinic: &mut Clinic, stick: &StickFile) {
    let list = StickList {
        sticks: [stick.info.known(1, 1)].into_iter().collect(),
        code: None,
    };
    clinic.change(|vault, key| {
        vault.set_sticks(key, list).unwrap();
    });
}

/// A stick whose PIN costs a guess as little as can be, so that all of four
/// digits fit into a test.
fn stick(clinic: &Clinic, pin: &[u8]) -> StickFile {
    let cheap = ScryptParams {
        log_n: 10,
        r: 1,
        p: 1,
    };
    let vault = vault(&clinic.disk);
    let label = "office".try_into().unwrap();
    let keys = Keyring::of_one(1, clinic.key.clone());
    StickFile::make_with(cheap, vault.header(), &keys, label, 0, pin).0
}

#[test]
fn four_digit_pin_falls_as_the_audit_says() {
    let mut clinic = Clinic::needing(2);
    let stick = stick(&clinic, b"0815");
    listed(&mut clinic, &stick);
    let header = vault(&clinic.disk).header().clone();
    let mut pins = (0..10_000).map(|pin| format!("{pin:04}"));
    let key = pins.find_map(|pin| stick.open(&header, pin.as_bytes()).ok());
    assert!(clinic.is_had_by(key.as_ref()));
    let row = judge(&clinic.facts())
        .into_iter()
        .find(|row| row.threat == Threat::Stick)
        .unwrap();
    assert_eq!(row.coverage, Coverage::Partly);
    assert!(row.why.contains("four digits fall"), "{row:?}");
}

#[test]
fn a_stick_without_a_pin_is_the_key_and_not_covered() {
    let mut clinic = Clinic::needing(2);
    let stick = stick(&clinic, b"");
    listed(&mut clinic, &stick);
    let key = stick.open(vault(&clinic.disk).header(), b"").ok();
    assert!(clinic.is_had_by(key.as_ref()));
    let facts = clinic.facts();
    assert_eq!(coverage(&facts, Threat::Stick), Coverage::NotCovered);
    assert_eq!(
        coverage(&facts, Threat::ServerAndStick),
        Coverage::NotCovered
    );
}

#[test]
fn the_stick_of_another_server_opens_nothing_here() {
    let clinic = Clinic::needing(2);
    let other = Clinic::needing(1);
    let foreign = stick(&other, b"");
    let mut bytes = foreign.encode();
    let header = vault(&clinic.disk).header().clone();
    let parsed = StickFile::parse(&bytes, &header);
    assert_eq!(parsed.err(), Some(StickError::OtherServer));
    assert!(foreign.open(&header, b"").is_err());
    // Its owner said to be this server.
    let theirs = vault(&other.disk).header().server_id.0;
    let at = bytes.windows(16).position(|part| part == theirs).unwrap();
    bytes[at..at + 16].copy_from_slice(&header.server_id.0);
    assert_eq!(
        StickFile::parse(&bytes, &header).err(),
        Some(StickError::Damaged)
    );
}

#[test]
fn passphrase_out_of_a_list_falls_as_the_audit_says() {
    let mut clinic = Clinic::needing(2);
    clinic.change(|vault, key| {
        let mut slots = vault.slots().unwrap();
        let (name, kind) = ("Otieno".try_into().unwrap(), Passphrase::Opens);
        let added = slots.add_passphrase(vault.header(), key, name, kind, b"nairobi1", 1);
        added.unwrap();
        vault.replace_slots(key, &slots).unwrap();
    });
    let disk = vault(&clinic.disk);
    let slots = disk.slots().unwrap();
    let mut list = ["password", "nairobi1", "qwertzui"].iter();
    let key =
        list.find_map(
            |guess| match slots.passphrases.enter(disk.header(), guess.as_bytes()) {
                PassphraseOutcome::Opened { key, .. } => Some(key),
                _ => None,
            },
        );
    assert!(clinic.is_had_by(key.as_ref()));
    for threat in [Threat::Server, Threat::Disk] {
        let row = judge(&clinic.facts())
            .into_iter()
            .find(|row| row.threat == threat);
        let row = row.unwrap();
        assert_eq!(row.coverage, Coverage::Partly);
        assert!(row.why.contains("passphrase"), "{row:?}");
    }
}
